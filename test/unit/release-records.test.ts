/** What release keeps and says: messages read strictly, disclosures and jobs that come back after a restart. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeCanonical, type CborValue } from '../../firmware/src/encoding/canonical-cbor.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { Disclosures, type Disclosure } from '../../firmware/src/release/disclosures.ts';
import { FetchJobs, type FetchJob } from '../../firmware/src/release/fetch-jobs.ts';
import { disclosuresListedMax } from '../../firmware/src/release/limits.ts';
import {
  decodeReceiptRequest,
  decodeReleaseAnswer,
  decodeStreamHead,
  decodeStreamRequest,
  encodeReceiptRequest,
  encodeReleaseAnswer,
  encodeStreamHead,
  encodeStreamRequest,
  streamMessage,
} from '../../firmware/src/release/messages.ts';
import { bytesOf, LedgerFixture } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';

const fixture = new LedgerFixture();
const owner = fixture.box('north').transaction;
const { transaction, ids } = fixture.register('north', 'batch', [owner]);
const [study] = ids;
assert.ok(study !== undefined);
const grant = fixture.grantBody(study, 1, owner.publicKey);
const open = fixture.openBody('north', grant, 1, bytesOf('head'));
const close = fixture.closeBody(open);
const tweak = bytesOf('tweak');
const signature = new Uint8Array(64).fill(3);

test('requests for receipts come back as they were sent', () => {
  for (const body of [open, close]) {
    const decoded = decodeReceiptRequest(
      body.type === 'access.open'
        ? encodeReceiptRequest({ body, signature, tweak })
        : encodeReceiptRequest({ body, signature, tweak }),
    );
    assert.deepEqual(decoded, { body, signature, tweak });
  }
});

test('a request with anything missing, more, or of another kind is none', () => {
  const inner = encodeTransaction({ body: open, signatures: [signature, new Uint8Array(64)] });
  const bad: CborValue[] = [
    null,
    [],
    {},
    { transaction: inner },
    { tweak },
    { transaction: inner, tweak, more: 1 },
    { transaction: inner, tweak: tweak.subarray(1) },
    { transaction: inner.subarray(1), tweak },
    { transaction: 'text', tweak },
    { transaction: encodeTransaction(transaction), tweak },
    { transaction: encodeTransaction({ body: open, signatures: [signature] }), tweak },
  ];
  for (const value of bad) assert.equal(decodeReceiptRequest(encodeCanonical(value)), undefined);
});

test('answers, stream requests and heads come back, and nothing else is read as one', () => {
  for (const kind of ['recorded', 'refused'] as const)
    assert.deepEqual(decodeReleaseAnswer(encodeReleaseAnswer({ kind })), { kind });
  assert.equal(decodeReleaseAnswer(encodeCanonical({ kind: 'granted' })), undefined);
  assert.equal(decodeReleaseAnswer(encodeCanonical({ kind: 'refused', why: 'withdrawn' })), undefined);
  const request = { openId: bytesOf('open'), skip: 7, held: bytesOf('held'), signature };
  assert.deepEqual(decodeStreamRequest(encodeStreamRequest(request)), request);
  for (const change of [
    { skip: -1 },
    { held: new Uint8Array(31) },
    { skip: '7' },
    { openId: bytesOf('x').subarray(1) },
    { signature: tweak },
    { more: 1 },
  ])
    assert.equal(decodeStreamRequest(encodeCanonical({ ...request, ...change })), undefined);
  assert.equal(decodeStreamHead(encodeStreamHead(3)), 3);
  for (const value of [0, -1, 'a'])
    assert.equal(decodeStreamHead(encodeCanonical({ manifestFrames: value })), undefined);
});

test('no bytes whatever make a reader throw', () => {
  const readers = [decodeReceiptRequest, decodeReleaseAnswer, decodeStreamRequest, decodeStreamHead];
  const honest = [
    encodeReceiptRequest({ body: open, signature, tweak }),
    encodeStreamRequest({ openId: tweak, skip: 0, held: tweak, signature }),
    encodeStreamHead(1),
  ];
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(2),
      fc.nat(400),
      fc.nat(255),
      (bytes, which, at, byte) => {
        const changed = (honest[which] ?? bytes).map((value, i) => (i === at ? byte : value));
        for (const read of readers) {
          read(bytes);
          read(changed);
          read(changed.subarray(0, at));
        }
      },
    ),
  );
});

test('a stream request is bound to its open and its connection', () => {
  const messages = [
    streamMessage(bytesOf('open'), bytesOf('connection')),
    streamMessage(bytesOf('other'), bytesOf('connection')),
    streamMessage(bytesOf('open'), bytesOf('other')),
  ].map((message) => Buffer.from(message).toString('hex'));
  assert.equal(new Set(messages).size, 3);
});

function entry(change: Partial<Disclosure> = {}): Omit<Disclosure, 'id' | 'at'> {
  return {
    direction: 'out',
    institution: 'south',
    studyId: study ?? null,
    outcome: 'released',
    reason: 'grant by the patient',
    objects: 1,
    bytes: 2,
    ...change,
  };
}

test('disclosures are listed newest first, told as they change, and come back after a restart', async () => {
  const [store, clock] = [new MemoryStore(), new ManualClock()];
  const disclosures = new Disclosures(store, clock);
  let told = 0;
  const unsubscribe = disclosures.onChange(() => told++);
  const first = await disclosures.record(entry({ outcome: 'running' }));
  clock.advance(1);
  await disclosures.record(entry({ institution: 'east', outcome: 'refused', studyId: null }));
  await disclosures.update(first, { outcome: 'released', bytes: 99 });
  assert.equal(told, 3);
  unsubscribe();
  clock.advance(1);
  await disclosures.record(entry({ outcome: 'running' }));
  assert.equal(told, 3);
  assert.deepEqual(
    disclosures.list().map(({ outcome }) => outcome),
    ['running', 'refused', 'released'],
  );
  const again = new Disclosures(store, clock);
  await again.load();
  assert.deepEqual(
    again.list().map(({ outcome, reason, bytes }) => [outcome, reason, bytes]),
    [
      ['failed', 'the box was stopped', 2],
      ['refused', 'grant by the patient', 2],
      ['released', 'grant by the patient', 99],
    ],
  );
});

test('a disclosure that is not on disk is not shown; the list is bounded, the store is not', async () => {
  const [store, clock] = [new MemoryStore(), new ManualClock()];
  const disclosures = new Disclosures(store, clock);
  const write = store.write.bind(store);
  store.write = () => Promise.reject(new Error('disk full'));
  await assert.rejects(disclosures.record(entry()), /disk full/);
  assert.deepEqual(disclosures.list(), []);
  store.write = write;
  for (let i = 0; i < disclosuresListedMax + 3; i++) {
    clock.advance(1);
    await disclosures.record(entry({ bytes: i }));
  }
  assert.equal(disclosures.list().length, disclosuresListedMax);
  assert.equal(disclosures.list()[0]?.bytes, disclosuresListedMax + 2);
  assert.equal(store.values.size, disclosuresListedMax + 3);
});

function jobOf(seq: number, change: Partial<FetchJob> = {}): FetchJob {
  assert.ok(study !== undefined);
  const body = fixture.grantBody(study, seq, owner.publicKey);
  return {
    grantId: randomBytes(32).toString('hex') as FetchJob['grantId'],
    studyId: study,
    source: 'north',
    grant: encodeTransaction({ body, signatures: [signature] }),
    finalAt: { height: seq, place: 0 },
    patientAccount: null,
    state: 'granted',
    open: null,
    sizeBucket: null,
    reason: '',
    ...change,
  };
}

test('jobs and how far blocks were looked at are written together, and come back', async () => {
  const store = new MemoryStore();
  const jobs = new FetchJobs(store);
  await jobs.load();
  assert.equal(jobs.cursor, 0);
  const found = [jobOf(1), jobOf(2)];
  let writes = 0;
  const write = store.write.bind(store);
  store.write = (changes) => {
    writes++;
    return write(changes);
  };
  await jobs.advance(17, found);
  assert.equal(writes, 1, 'a crash cannot come between them');
  const again = new FetchJobs(store);
  await again.load();
  assert.equal(again.cursor, 17);
  assert.equal(again.all().length, 2);
  const [first] = found;
  assert.ok(first !== undefined);
  assert.deepEqual(again.get(first.grantId)?.state, 'granted');
});

test('a job or a height that cannot be written has not been reached', async () => {
  const store = new MemoryStore();
  const jobs = new FetchJobs(store);
  store.write = () => Promise.reject(new Error('disk full'));
  await assert.rejects(jobs.advance(5, [jobOf(1)]));
  await assert.rejects(jobs.save(jobOf(1)));
  assert.equal(jobs.cursor, 0);
  assert.deepEqual(jobs.all(), []);
});

test('the newest grant of a study is the one with the highest number, in whatever order they are read', async () => {
  const store = new MemoryStore();
  const jobs = new FetchJobs(store);
  for (const seq of [2, 9, 4, 7]) await jobs.save(jobOf(seq, { reason: seq.toString() }));
  const again = new FetchJobs(store);
  await again.load();
  assert.ok(study !== undefined);
  for (const each of [jobs, again]) assert.equal(each.ofStudy(study)?.reason, '9');
  assert.equal(jobs.ofStudy('00'.repeat(32) as never), undefined);
});
