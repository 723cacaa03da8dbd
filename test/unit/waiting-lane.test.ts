import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Transaction, TransactionId } from '../../firmware/src/ledger/types.ts';
import type { LaneBounds, WaitingTransaction } from '../../firmware/src/validator/waiting-lane.ts';
import { WaitingLane } from '../../firmware/src/validator/waiting-lane.ts';

const bounds: LaneBounds = {
  transactionsMax: 40,
  bytesMax: 4000,
  institutionTransactionsMax: 30,
  institutionBytesMax: 3000,
};
/** The lane looks at ids and bytes alone. */
const transaction = {} as Transaction;

function waiting(id: string, bytes = 100): WaitingTransaction {
  return {
    id: id as TransactionId,
    bytes: new Uint8Array(bytes),
    transaction,
    since: 0,
    ready: true,
    judgedAt: 0,
  };
}

function idsOf(list: readonly WaitingTransaction[]): string[] {
  return list.map(({ id }) => id);
}

test('institutions take turns, each with its own in the order in which they came', () => {
  const lane = new WaitingLane('self', bounds);
  for (const id of ['a1', 'a2', 'a3', 'a4']) assert.ok(lane.add('a', waiting(id)));
  for (const id of ['b1', 'b2']) assert.ok(lane.add('b', waiting(id)));
  assert.ok(lane.add('c', waiting('c1')));
  assert.deepEqual(idsOf(lane.inTurn(10)), ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  assert.deepEqual(idsOf(lane.inTurn(3, new Set(['a1' as TransactionId]))), ['a2', 'b1', 'c1']);
});

test('turns are counted in bytes, over blocks: a large one is followed by as much of the others', () => {
  const lane = new WaitingLane('self', bounds);
  assert.ok(lane.add('bulk', waiting('B1', 1000)));
  assert.ok(lane.add('bulk', waiting('B2', 1000)));
  for (let number = 1; number <= 12; number++) assert.ok(lane.add('small', waiting(`s${number}`, 100)));
  const order = idsOf(lane.inTurn(20));
  assert.deepEqual(order.slice(0, 12), ['B1', ...Array.from({ length: 10 }, (_, i) => `s${i + 1}`), 'B2']);
  lane.served('B1' as TransactionId);
  assert.equal(idsOf(lane.inTurn(1))[0], 's1');
  // Who goes away and comes back has not become the least served one.
  lane.remove('B2' as TransactionId);
  assert.ok(lane.add('bulk', waiting('B3', 1000)));
  assert.equal(idsOf(lane.inTurn(1))[0], 's1');
});

test('a transaction that another brought first keeps its turn in the name of its own box', () => {
  const lane = new WaitingLane('self', bounds);
  for (let number = 0; number < 20; number++) assert.ok(lane.add('thief', waiting(`t${number}`)));
  const stolen = waiting('stolen');
  assert.ok(lane.add('thief', stolen));
  assert.ok(lane.add('victim', stolen));
  assert.equal(lane.size, 21);
  assert.deepEqual(idsOf(lane.inTurn(2)), ['t0', 'stolen']);
  lane.served(stolen.id);
  assert.equal(lane.get(stolen.id), undefined);
  assert.equal(lane.size, 20);
});

test('who holds most gives way when the room is full, and nobody else', () => {
  const lane = new WaitingLane('self', bounds);
  for (let number = 0; number < 30; number++) assert.ok(lane.add('greedy', waiting(`g${number}`)));
  assert.equal(lane.add('greedy', waiting('g30')), false);
  for (let number = 0; number < 10; number++) assert.ok(lane.add('modest', waiting(`m${number}`)));
  assert.ok(lane.add('late', waiting('l1')));
  assert.equal(lane.get('g29' as TransactionId), undefined);
  assert.ok(lane.get('g28' as TransactionId) !== undefined);
  assert.equal(lane.size, 40);
});

test('what was submitted at this box gives way to nobody', () => {
  const lane = new WaitingLane('self', bounds);
  for (let number = 0; number < 30; number++) assert.ok(lane.add('self', waiting(`s${number}`)));
  for (let number = 0; number < 10; number++) assert.ok(lane.add('a', waiting(`a${number}`)));
  assert.ok(lane.add('b', waiting('b0')));
  for (let number = 0; number < 30; number++)
    assert.ok(lane.get(`s${number}` as TransactionId) !== undefined);
  assert.equal(lane.get('a9' as TransactionId), undefined);
});

interface Arrival {
  readonly from: string;
  readonly bytes: number;
}

const arrivals = fc.array(
  fc.record({ from: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.integer({ min: 1, max: 900 }) }),
  { maxLength: 200 },
) satisfies fc.Arbitrary<Arrival[]>;

test('whatever others do, who holds less than an equal part is never refused and never gives way', () => {
  const places = Math.floor(bounds.transactionsMax / 5);
  fc.assert(
    fc.property(arrivals, fc.array(fc.nat(200), { maxLength: places }), (flood, moments) => {
      const lane = new WaitingLane('self', bounds);
      const honest: WaitingTransaction[] = [];
      for (const [index, { from, bytes }] of flood.entries()) {
        lane.add(from, waiting(`${from}${index}`, bytes));
        for (const moment of moments.filter((at) => at % (flood.length + 1) === index)) {
          // An equal part of the bytes among its eight transactions, as large as one of the flood leaves it.
          const own = waiting(`honest ${index} ${moment} ${honest.length}`, 10);
          assert.ok(lane.add('honest', own));
          honest.push(own);
        }
      }
      for (const { id } of honest) assert.ok(lane.get(id) !== undefined);
    }),
    { seed: 4, numRuns: 500 },
  );
});

test('the bounds hold, and every institution that waits is in the first round', () => {
  fc.assert(
    fc.property(arrivals, (flood) => {
      const lane = new WaitingLane('self', bounds);
      for (const [index, { from, bytes }] of flood.entries())
        lane.add(from, waiting(`${from}${index}`, bytes));
      const all = [...lane.values()];
      assert.ok(all.length <= bounds.transactionsMax);
      assert.ok(all.reduce((sum, { bytes }) => sum + bytes.length, 0) <= bounds.bytesMax);
      const order = lane.inTurn(1000);
      assert.deepEqual(idsOf(order).sort(), idsOf(all).sort());
      const names = new Set(all.map(({ id }) => id.slice(0, 1)));
      assert.deepEqual(new Set(order.slice(0, names.size).map(({ id }) => id.slice(0, 1))), names);
      // In every prefix nobody is ahead of one who still waits by more than one transaction's bytes.
      const taken = new Map([...names].map((name) => [name, 0]));
      for (const [index, { id, bytes }] of order.entries()) {
        const name = id.slice(0, 1);
        const others = new Set(order.slice(index).map((later) => later.id.slice(0, 1)));
        for (const other of others) assert.ok((taken.get(name) ?? 0) <= (taken.get(other) ?? 0));
        taken.set(name, (taken.get(name) ?? 0) + bytes.length);
      }
      for (const { id } of order) lane.served(id);
      assert.equal(lane.size, 0);
      assert.ok(lane.add('a', waiting('again', 900)));
    }),
    { seed: 4, numRuns: 500 },
  );
});
