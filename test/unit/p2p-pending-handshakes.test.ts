/** Who loses his place when too many connections have not proved a key. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { PendingHandshakes } from '../../firmware/src/p2p/pending-handshakes.ts';

test('the address that holds the most loses its oldest', () => {
  const pending = new PendingHandshakes<string>(4);
  const add = (name: string) => pending.add(name, name.slice(0, 1));
  for (const name of ['b1', 'a1', 'a2', 'a3']) assert.equal(add(name), undefined);
  assert.equal(add('c1'), 'a1');
  assert.equal(add('a4'), 'a2');
  assert.equal(add('d1'), 'a3');
});

test('of equals the oldest goes, and who has proved a key leaves his place', () => {
  const pending = new PendingHandshakes<string>(2);
  assert.equal(pending.add('one', 'a'), undefined);
  assert.equal(pending.add('two', 'b'), undefined);
  assert.equal(pending.add('three', 'c'), 'one');
  pending.delete('two');
  assert.equal(pending.add('four', 'd'), undefined);
  assert.equal(pending.add('five', 'e'), 'three');
});
