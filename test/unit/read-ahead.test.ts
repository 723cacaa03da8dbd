import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAhead } from '../../firmware/src/release/read-ahead.ts';

function counted(upTo: number, failAt = -1) {
  const seen = { fetched: 0, closed: false };
  async function* items(): AsyncIterable<number> {
    try {
      for (let item = 0; item < upTo; item++) {
        seen.fetched += 1;
        if (item === failAt) throw new Error('broken');
        yield await Promise.resolve(item);
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, items: items() };
}

test('all items come in order, each fetched while the one before is at work', async () => {
  const { seen, items } = counted(4);
  const got: number[] = [];
  for await (const item of readAhead(items)) {
    got.push(item);
    await Promise.resolve();
    assert.ok(seen.fetched <= item + 2, 'one ahead, not more');
  }
  assert.deepEqual(got, [0, 1, 2, 3]);
  assert.ok(seen.closed);
});

test('a failure comes after the items before it', async () => {
  const { items } = counted(4, 2);
  const got: number[] = [];
  await assert.rejects(async () => {
    for await (const item of readAhead(items)) got.push(item);
  }, /broken/);
  assert.deepEqual(got, [0, 1]);
});

test('whoever stops early closes the source, and a failure of what was fetched ahead is nobody’s', async () => {
  const { seen, items } = counted(4, 1);
  for await (const item of readAhead(items)) {
    assert.equal(item, 0);
    break;
  }
  assert.ok(seen.closed);
});
