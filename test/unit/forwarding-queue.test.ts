/** The parts of a forwarding queue: ranges, entries on disk, rate, hours, what a status means. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addRange,
  countIn,
  removeRange,
  type IndexRange,
} from '../../firmware/src/forwarding/index-ranges.ts';
import {
  decodePending,
  encodePending,
  type PendingCommitment,
} from '../../firmware/src/forwarding/pending-commitments.ts';
import { decodeEntry, encodeEntry, type QueueEntry } from '../../firmware/src/forwarding/queue-entry.ts';
import { verdictOf } from '../../firmware/src/forwarding/store-verdict.ts';
import { isOpen, isTimeZone } from '../../firmware/src/forwarding/time-window.ts';
import { TokenBucket } from '../../firmware/src/forwarding/token-bucket.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { settle } from '../support/until.ts';

const seed = 20_261_122;

test('ranges are the sets of their indices', () => {
  const range = fc.tuple(fc.nat(20), fc.nat(6));
  const operation = fc.tuple(fc.boolean(), range);
  const run = (operations: readonly (readonly [boolean, IndexRange])[]): void => {
    let ranges: readonly IndexRange[] = [];
    const indices = new Set<number>();
    for (const [isAdded, [first, count]] of operations) {
      ranges = (isAdded ? addRange : removeRange)(ranges, [first, count]);
      for (let index = first; index < first + count; index++)
        if (isAdded) indices.add(index);
        else indices.delete(index);
      const listed = ranges.flatMap(([from, length]) => Array.from({ length }, (_, i) => from + i));
      assert.deepEqual(
        listed,
        [...indices].sort((a, b) => a - b),
        JSON.stringify(operations),
      );
      assert.equal(countIn(ranges), indices.size);
      for (const [i, [from]] of ranges.entries()) {
        const before = ranges[i - 1];
        assert.ok(before === undefined || before[0] + before[1] < from, 'neighbours are one range');
      }
    }
  };
  fc.assert(fc.property(fc.array(operation, { maxLength: 12 }), run), { seed, numRuns: 2_000 });
});

interface EntryVector {
  readonly name: string;
  readonly entry: Omit<QueueEntry, 'patientAccount'> & { readonly patientAccount: string | null };
  readonly bytes: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/forwarding-entry.json', import.meta.url), 'utf8'),
) as readonly EntryVector[];

for (const { name, entry, bytes } of vectors) {
  test(`an entry on disk: ${name}`, () => {
    const { patientAccount, ...rest } = entry;
    const account = patientAccount === null ? null : new Uint8Array(Buffer.from(patientAccount, 'hex'));
    const expected: QueueEntry = { ...rest, patientAccount: account };
    assert.equal(Buffer.from(encodeEntry(expected)).toString('hex'), bytes);
    assert.deepEqual(decodeEntry(Buffer.from(bytes, 'hex')), expected);
  });
}

test('an entry that is damaged is a fault', () => {
  const [vector] = vectors;
  assert.ok(vector !== undefined);
  const whole = Buffer.from(vector.bytes, 'hex');
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => decodeEntry(whole.subarray(0, length)), { code: 'STORE_CORRUPT' });
});

interface CommitmentVector {
  readonly pending: PendingCommitment;
  readonly bytes: string;
}

test('a storage commitment on disk', () => {
  const path = new URL('../vectors/forwarding-commitment.json', import.meta.url);
  const { pending, bytes } = JSON.parse(readFileSync(path, 'utf8')) as CommitmentVector;
  const encoded = Buffer.from(bytes, 'hex');
  assert.equal(Buffer.from(encodePending(pending)).toString('hex'), bytes);
  assert.deepEqual(decodePending(pending.transactionUid, encoded), pending);
  for (let length = 0; length < encoded.length; length++)
    assert.throws(() => decodePending('1.2', encoded.subarray(0, length)), { code: 'STORE_CORRUPT' });
});

test('what a status says of an object', () => {
  for (const status of [0x0000, 0xb000, 0xb006, 0xb007]) assert.equal(verdictOf(status), 'stored');
  for (const status of [0xa900, 0xa901, 0xc000, 0xc123, 0x0111, 0x0117, 0x0122])
    assert.equal(verdictOf(status), 'refused');
  for (const status of [0x0110, 0x0124, 0x0210, 0x0212, 0xa700, 0xa7ff, 0xfe00, 0xff00, 0x0001])
    assert.equal(verdictOf(status), 'later');
});

test('hours: within a day, across midnight, in summer time; without any, always', () => {
  const at = (text: string): number => Date.parse(text);
  const day = [{ from: '08:00', to: '18:30' }];
  assert.equal(isOpen([], 'UTC', 0), true);
  assert.equal(isOpen(day, 'UTC', at('2026-01-05T08:00:00Z')), true);
  assert.equal(isOpen(day, 'UTC', at('2026-01-05T18:29:59Z')), true);
  assert.equal(isOpen(day, 'UTC', at('2026-01-05T18:30:00Z')), false);
  const night = [{ from: '22:00', to: '06:00' }];
  assert.equal(isOpen(night, 'UTC', at('2026-01-05T00:00:00Z')), true);
  assert.equal(isOpen(night, 'UTC', at('2026-01-05T05:59:00Z')), true);
  assert.equal(isOpen(night, 'UTC', at('2026-01-05T06:00:00Z')), false);
  assert.equal(isOpen(night, 'UTC', at('2026-01-05T22:00:00Z')), true);
  assert.equal(isOpen(day, 'Europe/Berlin', at('2026-07-05T06:30:00Z')), true, 'UTC+2 in July');
  assert.equal(isOpen(day, 'Europe/Berlin', at('2026-01-05T06:30:00Z')), false, 'UTC+1 in January');
  assert.equal(isOpen([...day, ...night], 'UTC', at('2026-01-05T19:00:00Z')), false);
  assert.deepEqual([isTimeZone('Europe/Berlin'), isTimeZone('Middle/Earth')], [true, false]);
});

test('a rate is kept over any time, and a second’s worth may be saved up', async () => {
  const clock = new ManualClock();
  const rate = 100_000;
  const bucket = new TokenBucket(rate, clock);
  let sent = 0;
  const run = (async () => {
    const dataSet = (async function* () {
      for (let i = 0; i < 8; i++) yield Promise.resolve(new Uint8Array(125_000));
    })();
    for await (const piece of bucket.pace(dataSet, new AbortController().signal)) sent += piece.length;
  })();
  for (let seconds = 0; seconds < 9; seconds++) {
    await settle();
    assert.ok(sent <= (seconds + 1) * rate + 1, `${sent} bytes after ${seconds} s`);
    assert.ok(sent > seconds * rate, `${sent} bytes after ${seconds} s`);
    for (let step = 0; step < 100; step++) {
      clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await run;
  assert.equal(sent, 1_000_000);
});

test('a rate limit ends with what it waits for', async () => {
  const bucket = new TokenBucket(16_384, new ManualClock());
  const stopping = new AbortController();
  const dataSet = (async function* () {
    yield Promise.resolve(new Uint8Array(1_000_000));
  })();
  const run = (async () => {
    for await (const piece of bucket.pace(dataSet, stopping.signal)) assert.ok(piece.length > 0);
  })();
  await settle();
  stopping.abort(new Error('stopped'));
  await assert.rejects(run, /stopped/);
});
