/** PDUs and command sets: golden bytes, framing of any input in any pieces, no input that throws. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { associateBytesMax } from '../../firmware/dimse/limits.ts';
import { commandPdus, dataSetPdus, pdvDataBytesMax } from '../../firmware/dimse/message-writer.ts';
import { type PduEvent, PduReader } from '../../firmware/dimse/pdu-reader.ts';
import {
  encodeAbort,
  encodeAddressing,
  encodeAssociateAccept,
  encodeAssociateReject,
  encodeAssociateRequest,
  encodeReleaseRequest,
  encodeReleaseResponse,
} from '../../firmware/dimse/pdu.ts';
import { concatBytes, fromHex, toHex, u16, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { associateRequest, ctImageStorage, dataPdu, pdv, storeCommand } from '../support/dimse-peer.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/dimse-pdus.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const user = { type: 2, responseRequested: true, primary: utf8('name'), secondary: utf8('passcode') };
const request = associateRequest({
  user: {
    implementationVersionName: 'TEST_1',
    asynchronousOperations: { invoked: 3, performed: 5 },
    roles: [{ sopClassUid: ctImageStorage, scu: true, scp: false }],
    extendedNegotiation: [{ sopClassUid: ctImageStorage, information: Uint8Array.of(2, 0, 3, 0, 1, 0) }],
    userIdentity: user,
  },
});
const accept = {
  contexts: [
    { id: 1, result: 0, transferSyntax: uids.explicitVrLittleEndian },
    { id: 3, result: 3, transferSyntax: '' },
  ],
  userInformation: {
    pduBytesMax: 131_072,
    implementationClassUid: '1.2.3',
    roles: [],
    extendedNegotiation: [],
  },
};

const encoded: Record<string, Uint8Array> = {
  'A-ASSOCIATE-RQ': encodeAssociateRequest(request),
  'A-ASSOCIATE-AC': encodeAssociateAccept(
    accept,
    encodeAddressing('HILUM', 'MODALITY'),
    uids.applicationContextName,
  ),
  'A-ASSOCIATE-RJ': encodeAssociateReject({ result: 1, source: 1, reason: 7 }),
  'A-RELEASE-RQ': encodeReleaseRequest(),
  'A-RELEASE-RP': encodeReleaseResponse(),
  'A-ABORT': encodeAbort({ source: 2, reason: 6 }),
  'C-STORE-RQ': storeCommand(),
};

/** All events of these chunks. */
function eventsOf(chunks: readonly Uint8Array[], pduBytesMax = 16_384): PduEvent[] {
  const reader = new PduReader(pduBytesMax);
  const events: PduEvent[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let event = reader.next(); event !== undefined; event = reader.next()) events.push(event);
  }
  return events;
}

test('PDUs and a command set are encoded as ever', () => {
  assert.deepEqual(
    Object.fromEntries(Object.entries(encoded).map(([name, bytes]) => [name, toHex(bytes)])),
    vectors,
  );
});

test('what is encoded is decoded', () => {
  const bytes = [
    'A-ASSOCIATE-RQ',
    'A-ASSOCIATE-AC',
    'A-ASSOCIATE-RJ',
    'A-RELEASE-RQ',
    'A-RELEASE-RP',
    'A-ABORT',
  ].map((name) => fromHex(vectors[name] as string));
  assert.deepEqual(eventsOf(bytes), [
    { kind: 'whole-request', bytes: encodeAssociateRequest(request).length - 6 },
    { kind: 'associate-request', request },
    { kind: 'associate-accept', accept },
    { kind: 'associate-reject', reject: { result: 1, source: 1, reason: 7 } },
    { kind: 'release-request' },
    { kind: 'release-response' },
    { kind: 'abort', abort: { source: 2, reason: 6 } },
  ]);
});

/** Fragments of one PDV joined, so that only what matters is compared. */
function joined(events: readonly PduEvent[]): unknown[] {
  const result: unknown[] = [];
  let data: Uint8Array[] = [];
  for (const event of events) {
    if (event.kind !== 'data') {
      result.push(event);
      continue;
    }
    data.push(event.fragment.bytes);
    if (!event.fragment.last) continue;
    result.push({ ...event.fragment, bytes: concatBytes(...data) });
    data = [];
  }
  if (data.length > 0) result.push(concatBytes(...data));
  return result;
}

test('the pieces in which bytes arrive do not matter', () => {
  const anyPdvs = fc.array(
    fc.record({ command: fc.boolean(), last: fc.boolean(), data: fc.uint8Array({ maxLength: 40 }) }),
    { minLength: 1, maxLength: 5 },
  );
  const stream = fc
    .array(anyPdvs, { maxLength: 4 })
    .map((pdus) =>
      concatBytes(
        encoded['A-ASSOCIATE-RQ'] as Uint8Array,
        ...pdus.map((pdvs) =>
          dataPdu(...pdvs.map(({ command, last, data }) => pdv(1, command ? 'command' : 'data', last, data))),
        ),
        encoded['A-RELEASE-RQ'] as Uint8Array,
      ),
    );
  fc.assert(
    fc.property(stream, fc.infiniteStream(fc.integer({ min: 1, max: 60 })), (bytes, sizes) => {
      const chunks: Uint8Array[] = [];
      for (let offset = 0; offset < bytes.length;) {
        const size = sizes.next().value as number;
        chunks.push(bytes.subarray(offset, offset + size));
        offset += size;
      }
      assert.deepEqual(joined(eventsOf(chunks)), joined(eventsOf([bytes])));
    }),
  );
});

test('no bytes make the reader throw, and after an invalid PDU nothing is read', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(...Object.values(encoded)),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    )
    .map(([bytes, changes]) => {
      const copy = bytes.slice();
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), { maxLength: 4 }),
      (chunks) => {
        const events = eventsOf(chunks);
        const invalid = events.findIndex(({ kind }) => kind === 'invalid');
        assert(invalid === -1 || invalid === events.length - 1);
      },
    ),
    { numRuns: 2000 },
  );
});

test('an associate PDU is bounded, also in its items', () => {
  const header = concatBytes(Uint8Array.of(1, 0), u32(associateBytesMax + 1));
  assert.equal(eventsOf([header]).at(-1)?.kind, 'invalid');
  const roles = Array.from({ length: 600 }, () => ({ sopClassUid: '1.2', scu: true, scp: false }));
  const tooMany = encodeAssociateRequest(associateRequest({ user: { roles } }));
  assert.equal(eventsOf([tooMany]).at(-1)?.kind, 'invalid');
  const repeated = associateRequest().contexts.map((context) => ({ ...context, id: 1 }));
  assert.equal(
    eventsOf([encodeAssociateRequest(associateRequest({ contexts: repeated }))]).at(-1)?.kind,
    'invalid',
  );
  const even = associateRequest().contexts.map((context, i) => ({ ...context, id: 2 * i + 2 }));
  assert.equal(
    eventsOf([encodeAssociateRequest(associateRequest({ contexts: even }))]).at(-1)?.kind,
    'invalid',
  );
});

test('an associate PDU that comes byte by byte costs no more than its length', () => {
  const contexts = Array.from({ length: 128 }, (_, i) => ({
    id: 2 * i + 1,
    abstractSyntax: ctImageStorage,
    transferSyntaxes: Array.from({ length: 40 }, () => uids.explicitVrLittleEndian),
  }));
  const bytes = encodeAssociateRequest(associateRequest({ contexts }));
  assert(bytes.length > 100_000);
  const events = eventsOf(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  assert.equal(events.at(-1)?.kind, 'associate-request');
});

const command = fc.record(
  {
    commandField: fc.integer({ min: 0, max: 0xffff }),
    hasDataSet: fc.boolean(),
    messageId: fc.integer({ min: 0, max: 0xffff }),
    messageIdBeingRespondedTo: fc.integer({ min: 0, max: 0xffff }),
    status: fc.integer({ min: 0, max: 0xffff }),
    priority: fc.constantFrom(0, 1, 2),
    affectedSopClassUid: fc.stringMatching(/^[0-9][0-9.]{0,63}$/),
    affectedSopInstanceUid: fc.stringMatching(/^[0-9][0-9.]{0,63}$/),
    requestedSopClassUid: fc.stringMatching(/^[0-9][0-9.]{0,63}$/),
    requestedSopInstanceUid: fc.stringMatching(/^[0-9][0-9.]{0,63}$/),
    errorComment: fc.stringMatching(/^[A-Za-z0-9]{1,64}$/),
    moveOriginatorAeTitle: fc.stringMatching(/^[A-Z0-9_]{1,16}$/),
    moveOriginatorMessageId: fc.integer({ min: 0, max: 0xffff }),
  },
  { requiredKeys: ['commandField', 'hasDataSet'], noNullPrototype: true },
);

test('command sets are read back, have even elements and a true group length', () => {
  fc.assert(
    fc.property(command, (fields) => {
      const bytes = encodeCommand(fields);
      assert.deepEqual(decodeCommand(bytes), { kind: 'command', command: fields });
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      assert.equal(view.getUint32(8, true), bytes.length - 12);
      for (let offset = 0; offset < bytes.length;) {
        const length = view.getUint32(offset + 4, true);
        assert.equal(length % 2, 0);
        offset += 8 + length;
      }
    }),
  );
});

test('no command set makes the decoder throw; what is not one is named', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (noise, at) => {
      const bytes = storeCommand();
      bytes.set(noise.subarray(0, Math.max(0, bytes.length - (at % bytes.length))), at % bytes.length);
      decodeCommand(bytes);
      decodeCommand(noise);
    }),
    { numRuns: 2000 },
  );
  const twice = concatBytes(storeCommand(), storeCommand());
  assert.equal(decodeCommand(twice).kind, 'malformed');
  assert.equal(decodeCommand(concatBytes(u16(0x0800), u16(0), u32(0))).kind, 'malformed');
  assert.equal(decodeCommand(new Uint8Array(0)).kind, 'malformed');
});

test('messages are cut to what the peer allows', async () => {
  assert.equal(pdvDataBytesMax(0), 131_066);
  assert.equal(pdvDataBytesMax(16_383), 16_376);
  assert.equal(pdvDataBytesMax(10_000_000), 131_066);
  const bytes = storeCommand();
  const events = eventsOf([concatBytes(...commandPdus(5, bytes, 20))], 26);
  assert.deepEqual(joined(events), [{ contextId: 5, command: true, last: true, bytes }]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 40 }).map((half) => 2 * half),
      async (chunks, dataBytesMax) => {
        async function* source(): AsyncGenerator<Uint8Array> {
          for (const chunk of chunks) yield await Promise.resolve(chunk);
        }
        const pdus: Uint8Array[] = [];
        for await (const pieces of dataSetPdus(7, source(), dataBytesMax)) pdus.push(concatBytes(...pieces));
        const data = concatBytes(...chunks);
        assert.deepEqual(joined(eventsOf(pdus, dataBytesMax + 6)), [
          { contextId: 7, command: false, last: true, bytes: data },
        ]);
        assert.equal(pdus.length, Math.max(1, Math.ceil(data.length / dataBytesMax)));
      },
    ),
  );
});
