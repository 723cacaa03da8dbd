/**
 * The state machine of the DICOM upper layer: PS3.8 table 9-10, literally. The names of states, events and actions
 * are the standard's; what each action does stands in upper-layer.ts. One table serves acceptor and requestor.
 */

export const states = {
  Sta1: 'Idle',
  Sta2: 'Transport connection open, awaiting A-ASSOCIATE-RQ PDU',
  Sta3: 'Awaiting local A-ASSOCIATE response primitive',
  Sta4: 'Awaiting transport connection opening to complete',
  Sta5: 'Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU',
  Sta6: 'Association established, ready for data transfer',
  Sta7: 'Awaiting A-RELEASE-RP PDU',
  Sta8: 'Awaiting local A-RELEASE response primitive',
  Sta9: 'Release collision, requestor side: awaiting A-RELEASE response primitive',
  Sta10: 'Release collision, acceptor side: awaiting A-RELEASE-RP PDU',
  Sta11: 'Release collision, requestor side: awaiting A-RELEASE-RP PDU',
  Sta12: 'Release collision, acceptor side: awaiting A-RELEASE response primitive',
  Sta13: 'Awaiting transport connection close indication',
} as const;

export type State = keyof typeof states;

export const events = {
  Evt1: 'A-ASSOCIATE request primitive',
  Evt2: 'Transport connection confirmation',
  Evt3: 'A-ASSOCIATE-AC PDU',
  Evt4: 'A-ASSOCIATE-RJ PDU',
  Evt5: 'Transport connection indication',
  Evt6: 'A-ASSOCIATE-RQ PDU',
  Evt7: 'A-ASSOCIATE response primitive (accept)',
  Evt8: 'A-ASSOCIATE response primitive (reject)',
  Evt9: 'P-DATA request primitive',
  Evt10: 'P-DATA-TF PDU',
  Evt11: 'A-RELEASE request primitive',
  Evt12: 'A-RELEASE-RQ PDU',
  Evt13: 'A-RELEASE-RP PDU',
  Evt14: 'A-RELEASE response primitive',
  Evt15: 'A-ABORT request primitive',
  Evt16: 'A-ABORT PDU',
  Evt17: 'Transport connection closed',
  Evt18: 'ARTIM timer expired',
  Evt19: 'Unrecognized or invalid PDU',
} as const;

export type Event = keyof typeof events;

/** PS3.8 tables 9-6 to 9-9. */
export type Action =
  | `AE-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`
  | `DT-${1 | 2}`
  | `AR-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10}`
  | `AA-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`;

/** An empty cell: the event cannot happen in that state. */
const none = null;

/** Sta1 to Sta13. */
// prettier-ignore
type Row = readonly [
  Action | null, Action | null, Action | null, Action | null, Action | null, Action | null, Action | null,
  Action | null, Action | null, Action | null, Action | null, Action | null, Action | null,
];

// prettier-ignore
export const table: Readonly<Record<Event, Row>> = {
  //       Sta1    Sta2    Sta3    Sta4    Sta5    Sta6    Sta7    Sta8    Sta9    Sta10    Sta11   Sta12   Sta13
  Evt1:  ['AE-1',  none,   none,   none,   none,   none,   none,   none,   none,   none,    none,   none,   none],
  Evt2:  [ none,   none,   none,  'AE-2',  none,   none,   none,   none,   none,   none,    none,   none,   none],
  Evt3:  [ none,  'AA-1', 'AA-8',  none,  'AE-3', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-6'],
  Evt4:  [ none,  'AA-1', 'AA-8',  none,  'AE-4', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-6'],
  Evt5:  ['AE-5',  none,   none,   none,   none,   none,   none,   none,   none,   none,    none,   none,   none],
  Evt6:  [ none,  'AE-6', 'AA-8',  none,  'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-7'],
  Evt7:  [ none,   none,  'AE-7',  none,   none,   none,   none,   none,   none,   none,    none,   none,   none],
  Evt8:  [ none,   none,  'AE-8',  none,   none,   none,   none,   none,   none,   none,    none,   none,   none],
  Evt9:  [ none,   none,   none,   none,   none,  'DT-1',  none,  'AR-7',  none,   none,    none,   none,   none],
  Evt10: [ none,  'AA-1', 'AA-8',  none,  'AA-8', 'DT-2', 'AR-6', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-6'],
  Evt11: [ none,   none,   none,   none,   none,  'AR-1',  none,   none,   none,   none,    none,   none,   none],
  Evt12: [ none,  'AA-1', 'AA-8',  none,  'AA-8', 'AR-2', 'AR-8', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-6'],
  Evt13: [ none,  'AA-1', 'AA-8',  none,  'AA-8', 'AA-8', 'AR-3', 'AA-8', 'AA-8', 'AR-10', 'AR-3', 'AA-8', 'AA-6'],
  Evt14: [ none,   none,   none,   none,   none,   none,   none,  'AR-4', 'AR-9',  none,    none,  'AR-4',  none],
  Evt15: [ none,   none,  'AA-1', 'AA-2', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1',  'AA-1', 'AA-1',  none],
  Evt16: [ none,  'AA-2', 'AA-3',  none,  'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3',  'AA-3', 'AA-3', 'AA-2'],
  Evt17: [ none,  'AA-5', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4',  'AA-4', 'AA-4', 'AR-5'],
  Evt18: [ none,  'AA-2',  none,   none,   none,   none,   none,   none,   none,   none,    none,   none,  'AA-2'],
  Evt19: [ none,  'AA-1', 'AA-8',  none,  'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8',  'AA-8', 'AA-8', 'AA-7'],
};

const columns = Object.keys(states) as State[];

/** The cell of the table; null where it is empty. */
export function actionFor(state: State, event: Event): Action | null {
  return table[event][columns.indexOf(state)] ?? null;
}
