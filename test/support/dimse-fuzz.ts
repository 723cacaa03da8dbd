/**
 * Hostile peers from a seed: well-formed conversations with the storage SCP, bent in one or more places. The same seed
 * gives the same bytes and the same pieces, so that a case that breaks something can be run again alone.
 */
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { encodeCommand } from '../../firmware/dimse/command.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { associateRequest, ctImageStorage, dataPdu, pdv, releaseRequestPdu } from './dimse-peer.ts';

export interface FuzzCase {
  /** What the peer sends, in these pieces. */
  readonly pieces: readonly Uint8Array[];
  /** What follows its association request, if that one was left as it was. */
  readonly afterAssociation: Uint8Array | undefined;
}

/** A small generator of random numbers (mulberry32): seeded, the same on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 up to, not including, `below`. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * below);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

const patientRootFind = '1.2.840.10008.5.1.4.1.2.1.1';
const storageCommitment = '1.2.840.10008.1.20.1';
const procedureStep = '1.2.840.10008.3.1.2.3.3';
const implicit = uids.implicitVrLittleEndian;

/** The contexts that a fuzzed peer proposes: what is stored, and one of each kind of service. */
const contexts = [
  { id: 1, abstractSyntax: ctImageStorage, transferSyntaxes: [uids.explicitVrLittleEndian] },
  { id: 3, abstractSyntax: uids.verificationSopClass, transferSyntaxes: [implicit] },
  { id: 5, abstractSyntax: patientRootFind, transferSyntaxes: [implicit] },
  { id: 7, abstractSyntax: storageCommitment, transferSyntaxes: [implicit] },
  { id: 9, abstractSyntax: procedureStep, transferSyntaxes: [implicit] },
] as const;

/** Numbers that parsers stumble over. */
const oddLengths = [
  0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

/** Elements of an identifier or data set, implicit little endian, some of them wrong. */
function dataSetBytes(random: Random, depth = 0): Uint8Array {
  const elements: Uint8Array[] = [];
  let tag = 0x00080005;
  for (let n = random.below(6); n >= 0; n--) {
    tag += random.below(0x30000) + 1;
    const nested = depth < 4 && random.below(4) === 0;
    const value = nested ? itemOf(dataSetBytes(random, depth + 1)) : random.bytes(random.below(24) * 2);
    const length = random.below(12) === 0 ? random.pick(oddLengths) : value.length;
    elements.push(elementHeader(tag, length), value);
  }
  return concatBytes(...elements);
}

function elementHeader(tag: number, length: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, tag >>> 16, true);
  header.setUint16(2, tag & 0xffff, true);
  header.setUint32(4, length, true);
  return new Uint8Array(header.buffer);
}

function itemOf(bytes: Uint8Array): Uint8Array {
  return concatBytes(elementHeader(0xfffee000, bytes.length), bytes);
}

/** A message in PDVs of any size, in PDUs of any number of PDVs: legal, however odd. */
function message(random: Random, contextId: number, command: Uint8Array, data?: Uint8Array): Uint8Array {
  return concatBytes(
    ...fragments(random, contextId, 'command', command),
    ...(data === undefined ? [] : fragments(random, contextId, 'data', data)),
  );
}

function* fragments(
  random: Random,
  contextId: number,
  kind: 'command' | 'data',
  bytes: Uint8Array,
): Generator<Uint8Array> {
  let pdvs: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length || offset === 0;) {
    const length = Math.min(bytes.length - offset, 1 + random.below(random.pick([4, 64, 8_000])));
    const last = offset + length >= bytes.length;
    pdvs.push(pdv(contextId, kind, last, bytes.subarray(offset, offset + length)));
    offset += Math.max(1, length);
    if (last || random.below(2) === 0) {
      const pdu = dataPdu(...pdvs);
      yield random.below(40) === 0 ? misframed(random, pdu) : pdu;
      pdvs = [];
    }
  }
}

/** A P-DATA-TF whose inner lengths or numbers are a little wrong, so that only exact framing tells. */
function misframed(random: Random, pdu: Uint8Array): Uint8Array {
  const wrong = pdu.slice();
  const view = new DataView(wrong.buffer);
  const pduLength = 2;
  const pdvLength = 6;
  switch (random.below(4)) {
    case 0:
      view.setUint32(pdvLength, view.getUint32(pdvLength) + random.pick([-2, -1, 1, 2, 6]));
      return wrong;
    case 1:
      view.setUint32(pduLength, view.getUint32(pduLength) + random.pick([-6, -1, 1, 5]));
      return wrong;
    case 2:
      view.setUint8(10, view.getUint8(10) + 1);
      return wrong;
    default:
      // Longer than was agreed, and all of it there.
      return dataPdu(pdu.subarray(6), pdv(1, 'data', false, new Uint8Array(140_000)));
  }
}

/** A request of a service: often the right one for its context, else any. */
function request(random: Random, messageId: number): Uint8Array {
  const right = random.below(4) > 0;
  const context = random.below(2) === 0 ? contexts[0] : random.pick(contexts);
  const fields = [
    0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0fff,
  ];
  const usual: Readonly<Record<number, number>> = { 1: 0x0001, 3: 0x0030, 5: 0x0020, 7: 0x0130, 9: 0x0140 };
  const commandField = right
    ? (usual[context.id] ?? 0x0030)
    : random.pick(fields) | random.pick([0, 0, 0, 0x8000]);
  const hasDataSet = right ? context.id !== 3 : random.below(2) === 0;
  const command = encodeCommand({
    commandField,
    hasDataSet,
    messageId,
    priority: 0,
    affectedSopClassUid: right ? context.abstractSyntax : random.pick(contexts).abstractSyntax,
    affectedSopInstanceUid: random.below(8) === 0 ? 'not a UID' : `1.2.3.${messageId}`,
    ...(random.below(8) === 0 && { messageIdBeingRespondedTo: random.below(4) }),
  });
  return message(random, context.id, command, hasDataSet ? dataSetBytes(random) : undefined);
}

type Bend = (random: Random, bytes: Uint8Array) => Uint8Array;

const bends: readonly Bend[] = [
  // A bit.
  (random, bytes) => {
    const bent = bytes.slice();
    const at = random.below(bent.length);
    bent[at] = (bent[at] ?? 0) ^ (1 << random.below(8));
    return bent;
  },
  // A length.
  (random, bytes) => {
    const bent = bytes.slice();
    if (bent.length < 4) return bent;
    const at = random.below(bent.length - 3);
    new DataView(bent.buffer).setUint32(at, random.pick(oddLengths), random.below(2) === 0);
    return bent;
  },
  // The end is missing.
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  // Something between.
  (random, bytes) => {
    const at = random.below(bytes.length);
    return concatBytes(bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at));
  },
  // Something missing.
  (random, bytes) => {
    const at = random.below(bytes.length);
    return concatBytes(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40)));
  },
  // Something twice.
  (random, bytes) => {
    const at = random.below(bytes.length);
    const again = bytes.subarray(at, at + 1 + random.below(400));
    return concatBytes(bytes.subarray(0, at), again, bytes.subarray(at));
  },
];

/** Text where a UID belongs, longer than any that is meant: digits, and padding that stands within and at the end. */
const longUids = ['1'.repeat(60_000), `1${' '.repeat(60_000)}1`, `1.2${'\0'.repeat(60_000)}`, '1'.repeat(65)];

/** One whose items are well-formed and of odd lengths or numbers. */
function oddAssociation(random: Random): Uint8Array {
  const uid = random.pick(longUids);
  const manyRoles = Array.from({ length: 480 }, (_, index) => `${'1.'.repeat(30)}${index}`);
  const proposed = contexts.map((context) => ({ ...context, abstractSyntax: uid }));
  return encodeAssociateRequest(
    associateRequest(
      random.pick([
        { contexts: proposed.slice(0, 2) },
        { contexts: [{ ...contexts[0], transferSyntaxes: [uid, uids.explicitVrLittleEndian] }] },
        { contexts, user: { implementationClassUid: uid } },
        { contexts, user: { roles: [{ sopClassUid: uid, scu: true, scp: true }] } },
        // As long as the items' lengths allow: an answer that repeats it would be longer.
        {
          contexts,
          user: {
            implementationClassUid: '',
            roles: [{ sopClassUid: '1'.repeat(65_500), scu: true, scp: true }],
          },
        },
        {
          contexts,
          user: { roles: manyRoles.map((sopClassUid) => ({ sopClassUid, scu: true, scp: true })) },
        },
        { contexts, user: { extendedNegotiation: [{ sopClassUid: uid, information: random.bytes(8) }] } },
      ]),
    ),
  );
}

/** The case of this seed. Some are well-formed, so that the unusual but legal is tried too. */
export function fuzzCase(seed: number): FuzzCase {
  const random = new Random(seed);
  const odd = random.below(16) === 0;
  const association = odd ? oddAssociation(random) : encodeAssociateRequest(associateRequest({ contexts }));
  const pdus: Uint8Array[] = [];
  for (let n = random.below(5); n >= 0; n--) pdus.push(request(random, n + 1));
  if (random.below(3) > 0) pdus.push(releaseRequestPdu);
  // Out of order at times: a release before the data, a second association request.
  if (random.below(6) === 0) pdus.push(random.pick([association, ...pdus]));
  const bendTimes = random.pick([0, 1, 1, 2, 4]);
  // Mostly the association is accepted, so that what is bent comes further.
  if (odd || random.below(4) === 0) {
    const bytes = bent(random, odd ? 0 : bendTimes, concatBytes(association, ...pdus));
    return { pieces: [...piecesOf(random, bytes)], afterAssociation: undefined };
  }
  const afterAssociation = bent(random, bendTimes, concatBytes(...pdus));
  return { pieces: [...piecesOf(random, concatBytes(association, afterAssociation))], afterAssociation };
}

function bent(random: Random, times: number, bytes: Uint8Array): Uint8Array {
  let result = bytes;
  for (let n = 0; n < times && result.length > 0; n++) result = random.pick(bends)(random, result);
  return result;
}

/** As TCP might deliver it. */
function* piecesOf(random: Random, bytes: Uint8Array): Generator<Uint8Array> {
  const sizeMax = random.pick([3, 50, 2_000, 100_000]);
  let offset = 0;
  // Not more than some pieces: each costs a turn of the event loop.
  for (let n = 0; n < 20 && offset < bytes.length; n++) {
    const length = 1 + random.below(sizeMax);
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
  if (offset < bytes.length) yield bytes.subarray(offset);
}
