import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { actionFor, events, states, type Event, type State } from '../../firmware/dimse/state-table.ts';

/** Per state, the events that have an action: transcribed from PS3.8 table 9-10 column by column, apart from the code. */
const vector = JSON.parse(
  readFileSync(new URL('../vectors/dimse-table-9-10.json', import.meta.url), 'utf8'),
) as Record<State, Partial<Record<Event, string>>>;

test('PS3.8 table 9-10: every cell is as in the transcription by columns', () => {
  for (const state of Object.keys(states) as State[]) {
    for (const event of Object.keys(events) as Event[]) {
      assert.equal(actionFor(state, event), vector[state][event] ?? null, `${state} ${event}`);
    }
  }
});

test('whatever a peer sends has an action in every state with a connection that is established', () => {
  const fromPeer: readonly Event[] = [
    'Evt3',
    'Evt4',
    'Evt6',
    'Evt10',
    'Evt12',
    'Evt13',
    'Evt16',
    'Evt17',
    'Evt19',
  ];
  for (const state of Object.keys(states) as State[]) {
    if (state === 'Sta1' || state === 'Sta4') continue;
    for (const event of fromPeer) assert.notEqual(actionFor(state, event), null, `${state} ${event}`);
  }
});
