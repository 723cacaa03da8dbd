import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TransactionId } from '../../firmware/src/ledger/types.ts';
import { loadFigures, percentile, whenSoMany } from '../bench/ledger/figures.ts';
import { Processor } from '../bench/ledger/processor.ts';
import { WideNetwork } from '../bench/ledger/wide-network.ts';
import type { Load } from '../bench/ledger/workload.ts';
import { VirtualTime } from '../fakes/virtual-clock.ts';

const one = (id: string, kind: Load['kind'], dueMs: number, studies = 0): Load => ({
  id: id as TransactionId,
  kind,
  dueMs,
  studies,
  box: 'north',
  bytes: new Uint8Array(),
});

test('a percentile is a value that was met; of none there is none', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(values, 0.95), 95);
  assert.equal(percentile(values, 1), 100);
  assert.equal(percentile([7], 0.5), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('rates count what became final in the window, times and losses what was due in it', () => {
  const load = [
    one('before', 'grant', 500),
    one('bulk', 'bulk', 1000, 256),
    one('quick', 'grant', 1100),
    one('late', 'open', 1900),
    one('lost', 'revoke', 1950),
  ];
  const finals = new Map([
    ['before', 1050],
    ['bulk', 1300],
    ['quick', 1150],
    ['late', 2500],
  ]);
  const figures = loadFigures(load, finals, { fromMs: 1000, toMs: 2000 });
  assert.equal(figures.studiesPerSecond, 256);
  assert.equal(figures.signedPerSecond, 2);
  assert.equal(figures.p95Ms, 600);
  assert.equal(figures.bulkP95Ms, 300);
  assert.deepEqual([figures.count, figures.lost], [4, 1]);
});

test('a quorum has it when the last of so many has it', () => {
  assert.equal(whenSoMany([30, 10, 20, 40], 3), 30);
  assert.equal(whenSoMany([30, 10], 3), undefined);
});

test('a processor does one thing after the other, and its timers wait for it', async () => {
  const time = new VirtualTime(0);
  const processor = new Processor(time);
  const done: (readonly [string, number])[] = [];
  const task = (name: string, ms: number) => (): void => {
    processor.charge(ms);
    done.push([name, processor.doneAt]);
  };
  processor.clock().setTimer(5, task('timer', 1));
  processor.run(task('first', 10));
  processor.run(task('second', 20));
  await time.pass(100);
  assert.deepEqual(done, [
    ['first', 10],
    ['second', 30],
    ['timer', 31],
  ]);
  assert.equal(processor.busyMs, 31);
});

test('messages share the sender\u2019s line, and the receiver\u2019s', async () => {
  const time = new VirtualTime(0);
  // 8 Mbit/s: 1000 bytes a millisecond, 90 of them around each message.
  const wide = new WideNetwork(time, {
    roundTripMsMin: 50,
    roundTripMsMax: 50,
    megabitsPerSecond: 8,
    seed: 1,
  });
  const arrived: (readonly [string, number])[] = [];
  const carry = (from: string, to: string): void =>
    wide.carry(from, to, 9910, 0, () => arrived.push([`${from} to ${to}`, time.events.now]));
  carry('a', 'b');
  carry('a', 'c');
  carry('d', 'b');
  await time.pass(200);
  assert.deepEqual(arrived, [
    ['a to b', 35],
    ['a to c', 45],
    ['d to b', 45],
  ]);
  assert.equal(wide.bytes, 30_000);
});
