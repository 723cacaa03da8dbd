import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  stateEntries,
  stateFromEntries,
  stateRanges,
  verifyStateRange,
} from '../../firmware/src/ledger/index.ts';
import type { StateAnchor, StateRange } from '../../firmware/src/ledger/index.ts';
import { LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { applied } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owners = Array.from({ length: 120 }, () => signerOf('owner'));
const state = applied(ledger.initial, ledger.register('south', 'many', owners).transaction);

/** The anchors before and after each chunk. @throws AssertionError if one does not verify. */
function walk(ranges: readonly StateRange[]): (StateAnchor | undefined)[] {
  const anchors: (StateAnchor | undefined)[] = [undefined];
  for (const [index, range] of ranges.entries()) {
    const verified = verifyStateRange(state.root, anchors.at(-1), range);
    assert.ok(verified.kind === 'verified');
    assert.equal(verified.isEnd, index === ranges.length - 1);
    anchors.push(verified.last);
  }
  return anchors;
}

test('a state in chunks of any size is whole, in the order of key hashes, each chunk bounded and proved', () => {
  for (const bytesMax of [1, 300, 1000, 5000, 1_000_000]) {
    const ranges = [...stateRanges(state, bytesMax)];
    walk(ranges);
    const entries = ranges.flatMap((range) => range.entries);
    assert.deepEqual(entries, [...stateEntries(state)]);
    assert.equal(toHex(stateFromEntries(ledger.chain, entries).root), toHex(state.root));
    for (const range of ranges) {
      const bytes = range.entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
      assert.ok(range.entries.length === 1 || bytes <= bytesMax);
    }
  }
});

test('a chunk with an entry left out, changed, put in or doubled is refused, wherever it is', () => {
  const ranges = [...stateRanges(state, 1000)];
  const anchors = walk(ranges);
  const isRefused = (index: number, change: Partial<StateRange>): boolean => {
    const range = { ...(ranges[index] as StateRange), ...change };
    return verifyStateRange(state.root, anchors[index], range).kind === 'refused';
  };
  for (const [index, { entries, left, right }] of ranges.entries()) {
    for (const at of entries.keys()) {
      const [key, value] = entries[at] as StateRange['entries'][number];
      assert.ok(isRefused(index, { entries: entries.toSpliced(at, 1) }));
      assert.ok(
        isRefused(index, { entries: entries.toSpliced(at, 1, [key, concatBytes(value, Uint8Array.of(0))]) }),
      );
      assert.ok(isRefused(index, { entries: entries.toSpliced(at, 1, [`${key}x`, value]) }));
      assert.ok(isRefused(index, { entries: entries.toSpliced(at, 0, [key, value]) }));
    }
    assert.ok(isRefused(index, { entries: [] }));
    assert.ok(isRefused(index, { left: [...left, new Uint8Array(32)] }));
    assert.ok(isRefused(index, { right: right.slice(0, -1), firstDepth: 300 }));
    assert.ok(isRefused(index, { lastDepth: 0 }));
    if (right.length > 0) assert.ok(isRefused(index, { right: right.with(0, new Uint8Array(31)) }));
  }
});

test('a chunk that does not follow the one before is refused: none can be skipped or begun with', () => {
  const ranges = [...stateRanges(state, 1000)];
  const anchors = walk(ranges);
  assert.ok(ranges.length > 5);
  for (const [index, range] of ranges.entries()) {
    for (const [other, anchor] of anchors.entries())
      if (other !== index) assert.equal(verifyStateRange(state.root, anchor, range).kind, 'refused');
    assert.equal(verifyStateRange(ledger.initial.root, anchors[index], range).kind, 'refused');
  }
});

test('whatever a peer puts into a chunk is refused or what the state has', () => {
  const ranges = [...stateRanges(state, 2000)];
  const anchors = walk(ranges);
  const known = new Map(stateEntries(state));
  const hashes = fc.array(fc.constantFrom(...ranges.flatMap(({ left, right }) => [...left, ...right])), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      fc.nat(ranges.length - 1),
      fc.shuffledSubarray([...known], { maxLength: 6 }),
      hashes,
      hashes,
      fc.nat(20),
      fc.nat(20),
      (index, entries, left, right, firstDepth, lastDepth) => {
        const range = { entries, left, right, firstDepth, lastDepth };
        const verified = verifyStateRange(state.root, anchors[index], range);
        if (verified.kind === 'refused') return;
        const honest = ranges[index] as StateRange;
        assert.deepEqual(entries, honest.entries.slice(0, entries.length));
      },
    ),
    { seed: 4, numRuns: 1000 },
  );
});
