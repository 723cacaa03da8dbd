/** Changed bytes of each type of transaction: refused as bytes, or read as what they say and refused by the rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  applyTransaction,
  decodeTransaction,
  encodeTransaction,
  transactionTypeNames,
} from '../../firmware/src/ledger/index.ts';
import type { LedgerState } from '../../firmware/src/ledger/types.ts';
import { verifySignature } from '../fakes/ledger.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';

interface Moment {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Before it applied. */
  readonly state: LedgerState;
  readonly height: number;
  readonly time: number;
}

/** Each transaction of the story with the state to which it applied. */
function moments(): readonly Moment[] {
  const { ledger, blocks, transactions } = tellLedgerStory();
  const names = transactions.map(({ name }) => name);
  const told: Moment[] = [];
  let state = ledger.initial;
  for (const { header, transactions: encoded } of blocks) {
    for (const bytes of encoded) {
      const moment = { bytes, state, height: header.height, time: header.time };
      told.push({ ...moment, name: names[told.length] ?? 'one too many' });
      const applied = apply(told.at(-1) as Moment, bytes);
      assert.ok(applied?.kind === 'applied', told.at(-1)?.name);
      state = applied.state;
    }
  }
  assert.equal(told.length, transactions.length);
  return told;
}

/** Undefined: not read. */
function apply({ state, height, time }: Moment, bytes: Uint8Array) {
  const decoded = decodeTransaction(bytes);
  if (decoded.kind === 'refused') return undefined;
  return applyTransaction(state, decoded.transaction, { height, time, verify: verifySignature });
}

const all = moments();

test('the story has every type', () => {
  const types = new Set(
    all.map(({ bytes }) => {
      const decoded = decodeTransaction(bytes);
      assert.ok(decoded.kind === 'transaction');
      return decoded.transaction.body.type;
    }),
  );
  assert.deepEqual([...types].sort(), [...transactionTypeNames].sort());
});

for (const moment of all) {
  const { bytes, name } = moment;

  test(`no bit of it is for nothing: ${name}`, () => {
    let read = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        const decoded = decodeTransaction(changed);
        if (decoded.kind === 'refused') return;
        read++;
        assert.deepEqual(encodeTransaction(decoded.transaction), changed, 'the one encoding of what it says');
        // An acceptance is signed apart from its transaction, so that it can travel inside the update: until when the
        // transaction may be taken is nobody's to sign.
        if (decoded.transaction.body.type === 'release.accept') return;
        assert.equal(apply(moment, changed)?.kind, 'refused', `bit ${bit}`);
      }),
      { numRuns: 60, seed: 4 },
    );
    assert.ok(read > 0, 'no changed bit was ever read: the signatures’ bits are');
  });

  test(`neither a part of it nor more than it is it: ${name}`, () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (length, more) => {
        assert.equal(decodeTransaction(bytes.slice(0, length)).kind, 'refused');
        assert.equal(decodeTransaction(new Uint8Array(Buffer.concat([bytes, more]))).kind, 'refused');
      }),
      { numRuns: 20, seed: 4 },
    );
  });
}
