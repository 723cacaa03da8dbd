/** Peers that send the same without an end, as fast as it is read: legal, or refused, and in either case work for the box. */
import { concatBytes } from '../../../firmware/src/encoding/bytes.ts';
import { commandField, encodeCommand } from '../../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../../firmware/dimse/data-set.ts';
import { pdvHeader } from '../../../firmware/dimse/message-writer.ts';
import { encodeReleaseRequest } from '../../../firmware/dimse/pdu.ts';
import { explicitVrLittleEndian, implicitVrLittleEndian } from '../../../firmware/dimse/uids.ts';
import {
  associateRequestFor,
  ctContext,
  ctImageStorage,
  instanceUid,
  storageCommitment,
  storeCommand,
  verification,
} from './hostile-messages.ts';

export interface Flood {
  readonly what: string;
  readonly connections: number;
  /** From association to association, by the AE title that may have one. */
  readonly begin: (calledAeTitle: string, callingAeTitle: string) => Uint8Array;
  /** Sent again and again. */
  readonly again: Uint8Array;
}

/** What a hostile P-DATA-TF holds: the box announces twice as much. */
const pduBytes = 65_536;
/** So many messages go out at one go. */
const messagesAtOnce = 100;
const longSetItems = 90_000;

const contexts = [
  ctContext,
  { id: 3, abstractSyntax: verification, transferSyntaxes: [implicitVrLittleEndian] },
  { id: 5, abstractSyntax: storageCommitment, transferSyntaxes: [explicitVrLittleEndian] },
];
const associating = (called: string, calling: string): Uint8Array =>
  associateRequestFor(called, calling, contexts);

/** A command, and the data set that it announces, if any. */
function message(contextId: number, command: Uint8Array, data?: Uint8Array): Uint8Array {
  const pdus = [pdvHeader(contextId, true, true, command.length), command];
  for (let at = 0; data !== undefined && at < data.length; at += pduBytes) {
    const piece = data.subarray(at, at + pduBytes);
    pdus.push(pdvHeader(contextId, false, at + pduBytes >= data.length, piece.length), piece);
  }
  return concatBytes(...pdus);
}

const times = (count: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(...Array.from({ length: count }, () => bytes));

const echo = encodeCommand({
  commandField: commandField.echoRequest,
  hasDataSet: false,
  messageId: 1,
  affectedSopClassUid: verification,
});
const action = encodeCommand({
  commandField: commandField.actionRequest,
  hasDataSet: true,
  messageId: 1,
  requestedSopClassUid: storageCommitment,
  requestedSopInstanceUid: '1.2.840.10008.1.20.1.1',
  actionTypeId: 1,
});

/** Ends within an element, so that it is refused when all of it has been read. */
const cut = (dataSet: Uint8Array): Uint8Array => concatBytes(dataSet, Uint8Array.of(0xff, 0x7f, 1, 0));

/** Text of so many bytes that switches its character set with each character. */
function switchingText(bytes: number): Uint8Array {
  const names = encodeDataSet(
    { '00080005': { vr: 'CS', values: ['ISO 2022 IR 100', 'ISO 2022 IR 144'] } },
    explicitVrLittleEndian,
  );
  const text = Buffer.from('\x1b-A\xe4\x1b-L\xd4'.repeat(bytes / 8), 'latin1');
  const element = new Uint8Array(12);
  element.set([0x08, 0x00, 0x02, 0x10, 0x55, 0x54]);
  new DataView(element.buffer).setUint32(8, text.length, true);
  return concatBytes(names, element, text);
}

const emptyItems = encodeDataSet(
  { '00081199': { vr: 'SQ', values: Array.from({ length: longSetItems }, () => ({})) } },
  explicitVrLittleEndian,
);

/** Empty PDVs of a data set, as many as fit. */
function emptyFragments(): Uint8Array {
  const pdv = pdvHeader(1, false, false, 0).subarray(6);
  const pdvs = Math.floor(pduBytes / pdv.length);
  const pdu = concatBytes(Uint8Array.of(4, 0, 0, 0, 0, 0), times(pdvs, pdv));
  new DataView(pdu.buffer).setUint32(2, pdvs * pdv.length);
  return pdu;
}

/** A whole CT image of 1 KB, as it is kept the first time. */
const smallObject = encodeDataSet(
  {
    '00080016': { vr: 'UI', values: [ctImageStorage] },
    '00080018': { vr: 'UI', values: [instanceUid(1)] },
    '0020000D': { vr: 'UI', values: [instanceUid(2)] },
    '0020000E': { vr: 'UI', values: [instanceUid(3)] },
    '00204000': { vr: 'LT', values: ['same '.repeat(200)] },
  },
  explicitVrLittleEndian,
);

const discarded = new Uint8Array(pduBytes);

export const floods: readonly Flood[] = [
  {
    what: 'empty fragments',
    connections: 2,
    begin: (called, calling) => concatBytes(associating(called, calling), storeCommand(1)),
    again: emptyFragments(),
  },
  {
    what: 'releases after a rejection',
    connections: 2,
    begin: (called) => associating(called, 'NOBODY'),
    again: times(13_000, encodeReleaseRequest()),
  },
  {
    what: 'requests of 4 KB of text that are refused',
    connections: 1,
    begin: associating,
    again: times(messagesAtOnce, message(5, action, cut(switchingText(4_000)))),
  },
  {
    what: 'the same object of 1 KB',
    connections: 1,
    begin: associating,
    again: times(
      messagesAtOnce,
      concatBytes(storeCommand(1), pdvHeader(1, false, true, smallObject.length), smallObject),
    ),
  },
  { what: 'C-ECHOs', connections: 2, begin: associating, again: times(messagesAtOnce, message(3, echo)) },
  { what: 'long data sets', connections: 20, begin: associating, again: message(5, action, cut(emptyItems)) },
  {
    what: 'data of an object that is refused',
    connections: 10,
    begin: (called, calling) => concatBytes(associating(called, calling), storeCommand(1, 'no UID')),
    again: concatBytes(pdvHeader(1, false, false, discarded.length), discarded),
  },
];

/** All of their connections. */
export const floodConnections = floods.reduce((sum, { connections }) => sum + connections, 0);
