/** What stands in the index and in quarantine, byte for byte: a vector that changes is a new format. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { decodeCanonical, encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import {
  fromQuarantineRecord,
  toQuarantineRecord,
  type QuarantineRecord,
} from '../../firmware/src/ingest/quarantined.ts';
import { decodeStreamRequest, encodeStreamRequest, heldDigest } from '../../firmware/src/release/messages.ts';
import { decodeCommitment, encodeCommitment } from '../../firmware/src/workflow/commitment-records.ts';
import { ProcedureSteps } from '../../firmware/src/workflow/procedure-steps.ts';
import { RelayQueue } from '../../firmware/src/workflow/relay-queue.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/workflow-records.json', import.meta.url), 'utf8'),
) as Readonly<Record<'commitment' | 'step' | 'relayed' | 'quarantined' | 'streamRequest', string>>;

const at = 1_700_000_000_000;
const ct = '1.2.840.10008.5.1.4.1.1.2';
const bytes = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (first + index) % 256);

test('a storage commitment', () => {
  const stored = {
    request: {
      transactionUid: '1.2.9',
      callingAeTitle: 'CT_1',
      calledAeTitle: 'HILUM',
      instances: [
        { sopClassUid: ct, sopInstanceUid: '1.2.1' },
        { sopClassUid: ct, sopInstanceUid: '1.2.2' },
      ],
    },
    at,
  };
  assert.equal(toHex(encodeCommitment(stored)), vectors.commitment);
  assert.deepEqual(decodeCommitment(fromHex(vectors.commitment)), stored);
});

test('a procedure step and its message to be sent on', async () => {
  const store = new MemoryStore();
  const common = {
    store,
    clock: new ManualClock(at),
    logger: new RecordingLogger(),
    health: new MemoryHealthBoard(),
  };
  const stopped = new AbortController();
  const relay = new RelayQueue({
    ...common,
    destination: 'RIS',
    send: (_message, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(stopped.signal.reason as Error));
      }),
  });
  const steps = new ProcedureSteps({ ...common, relay });
  await steps.take({
    kind: 'create',
    callingAeTitle: 'CT_1',
    sopInstanceUid: '1.2.7',
    transferSyntaxUid: '1.2.840.10008.1.2',
    dataSet: {
      '00400252': { vr: 'CS', values: ['IN PROGRESS'] },
      '00400270': { vr: 'SQ', values: [{ '0020000D': { vr: 'UI', values: ['1.2'] } }] },
      '00400340': {
        vr: 'SQ',
        values: [{ '00081140': { vr: 'SQ', values: [{ '00081155': { vr: 'UI', values: ['1.2.1'] } }] } }],
      },
    },
    dataSetBytes: utf8('as it came'),
  });
  stopped.abort(new Error('stopped'));
  await relay.stop();
  const values = [...store.values].map(([key, value]) => [
    key.replace(/[0-9a-f]{32}$/, '<random>'),
    toHex(value),
  ]);
  assert.deepEqual(values, [
    ['procedure-step/<random>', vectors.step],
    ['procedure-step-relay/0000000000000000', vectors.relayed],
  ]);
  const before = new ProcedureSteps({ ...common, relay: undefined });
  await before.load();
  assert.equal(
    before.ofStudy({ studyInstanceUid: '1.2', instanceCount: 1, holds: () => true }),
    'in progress',
  );
});

test('an object in quarantine', () => {
  const record: QuarantineRecord = {
    is: 'quarantined',
    reason: 'other pixels',
    detail: '',
    callingAeTitle: 'CT_1',
    remoteAddress: '192.0.2.7',
    identity: { transferSyntaxUid: '1.2.840.10008.1.2.1', sopClassUid: ct, sopInstanceUid: '1.2.1' },
    header: { sopInstanceUid: '1.2.1', patientName: 'Doe^Jane' },
    at,
    stored: { ref: '00'.repeat(16), frame: 64, length: 1000, lastTag: bytes(16, 1) },
    digest: bytes(32, 100),
  };
  assert.equal(toHex(encodeCanonical(toQuarantineRecord(record))), vectors.quarantined);
  assert.deepEqual(fromQuarantineRecord(decodeCanonical(fromHex(vectors.quarantined))), record);
});

test('a request for a stream by someone who holds two objects', () => {
  const request = {
    openId: bytes(32, 1),
    skip: 2,
    held: heldDigest([bytes(32, 50), bytes(32, 90)]),
    signature: bytes(64, 7),
  };
  assert.equal(toHex(encodeStreamRequest(request)), vectors.streamRequest);
  assert.deepEqual(decodeStreamRequest(fromHex(vectors.streamRequest)), request);
});
