/** Restart orders: their bytes, and who must have signed. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { RestartOrder, RootSignature } from '../../firmware/src/restart/restart-order.ts';
import {
  decodeRestartOrder,
  encodeRestartOrder,
  restartMessage,
} from '../../firmware/src/restart/restart-order.ts';
import type { VerifiedRestart } from '../../firmware/src/restart/verify.ts';
import { verifyRestart } from '../../firmware/src/restart/verify.ts';
import { LedgerFixture, rootSignerOf, signerOf, verifySignature } from '../fakes/ledger.ts';
import { nobody } from '../../firmware/src/ledger/index.ts';
import { genesisState } from '../../firmware/src/ledger/index.ts';
import { rootSignatures } from '../support/restart-orders.ts';

const vectors = JSON.parse(
  await readFile(new URL('../vectors/restart-order.json', import.meta.url), 'utf8'),
) as Record<'message' | 'order', string>;

const ids = ['north', 'south', 'east', 'west'];
const fixture = new LedgerFixture(ids);
const state = genesisState(fixture.genesis);
const east = { institution: 'east', start: 3 };
const south = { institution: 'south', start: 12 };
const order: RestartOrder = {
  chain: state.chain,
  epoch: 0,
  height: 7,
  digest: new Uint8Array(32).fill(9),
  view: 12,
  floor: 12 + restartViewsMin,
  abstaining: [east, south],
};
/** The chain of the vector is a constant, so that a change of the genesis document leaves it. */
const sample: RestartOrder = { ...order, chain: new Uint8Array(32).fill(7) };

const context = {
  chain: state.chain,
  epoch: state.epoch(),
  institution: (id: string) => state.institution(id),
  verify: verifySignature,
};

function verified(
  change: Partial<RestartOrder> = {},
  signatures: (order: RestartOrder) => readonly RootSignature[] = (changed) =>
    rootSignatures(changed, ['north', 'south', 'west']),
): VerifiedRestart {
  const changed = { ...order, ...change };
  return verifyRestart({ order: changed, signatures: signatures(changed) }, context);
}

function refusalOf(...[change, signatures]: Parameters<typeof verified>): string | undefined {
  const outcome = verified(change, signatures);
  return outcome.kind === 'refused' ? outcome.reason : undefined;
}

function byKey(changed: RestartOrder, institution: string, key: number): RootSignature {
  const signature = rootSignerOf(institution, key + 1).sign(restartMessage(changed));
  return { institution, key, signature };
}

describe('bytes', () => {
  const signed = { order: sample, signatures: rootSignatures(sample, ['north', 'south', 'west']) };

  it('are those of the golden vector, whatever the order of the signatures', () => {
    assert.equal(toHex(restartMessage(sample)), vectors.message);
    assert.equal(toHex(encodeRestartOrder(signed)), vectors.order);
    const reversed = { order: sample, signatures: signed.signatures.toReversed() };
    assert.equal(toHex(encodeRestartOrder(reversed)), vectors.order);
    assert.deepEqual(decodeRestartOrder(fromHex(vectors.order)), signed);
  });

  it('that are changed are refused, or another order', () => {
    const bytes = fromHex(vectors.order);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ mask;
        let decoded: ReturnType<typeof decodeRestartOrder>;
        try {
          decoded = decodeRestartOrder(changed);
        } catch (error) {
          assert.ok(error instanceof RangeError);
          return;
        }
        assert.equal(toHex(encodeRestartOrder(decoded)), toHex(changed));
      }),
      { seed: 4, numRuns: 2000 },
    );
  });

  const wrong: Readonly<Record<string, Partial<RestartOrder>>> = {
    'nobody abstains': { abstaining: [] },
    'names that do not ascend': { abstaining: [south, east] },
    'a name twice': { abstaining: [east, { ...east, start: 4 }] },
    'a start that is no count': { abstaining: [{ ...east, start: -1 }] },
    'a short digest': { digest: new Uint8Array(31) },
    'a negative view': { view: -1 },
  };
  for (const [what, change] of Object.entries(wrong)) {
    it(`are refused: ${what}`, () => {
      const bytes = encodeRestartOrder({ ...signed, order: { ...sample, ...change } });
      assert.throws(() => decodeRestartOrder(bytes), RangeError);
    });
  }

  it('are refused where a key signs twice', () => {
    const [first] = signed.signatures;
    assert.ok(first !== undefined);
    const bytes = encodeRestartOrder({ order: sample, signatures: [first, first] });
    assert.throws(() => decodeRestartOrder(bytes), RangeError);
  });
});

describe('an order', () => {
  it('holds with the roots of n−f validators', () => {
    assert.equal(refusalOf(), undefined);
    assert.equal(
      refusalOf({}, (changed) => rootSignatures(changed, ids)),
      undefined,
    );
  });

  const wrong: Readonly<Record<string, readonly [string, ...Parameters<typeof refusalOf>]>> = {
    'of another chain': ['wrong-chain', { chain: new Uint8Array(32) }],
    'of another epoch': ['wrong-epoch', { epoch: 1 }],
    'whose floor is too near': ['floor-too-low', { floor: order.floor - 1 }],
    'for a box that does not validate': [
      'no-validator',
      { abstaining: [{ institution: 'elsewhere', start: 1 }] },
    ],
    'of two roots of four': ['too-few-roots', {}, (changed) => rootSignatures(changed, ['north', 'south'])],
    'that nobody has signed': ['too-few-roots', {}, () => []],
    'signed before it was changed': ['too-few-roots', {}, () => rootSignatures(sample, ids)],
    'with one key of a root that asks for two': [
      'too-few-roots',
      {},
      (changed) => rootSignatures(changed, ['north', 'south', 'west']).slice(0, -1),
    ],
    'with a key that is not of the root': [
      'too-few-roots',
      {},
      (changed) => [
        ...rootSignatures(changed, ['north', 'south']),
        ...[0, 1].map((key) => ({
          institution: 'west',
          key,
          signature: signerOf('stranger').sign(restartMessage(changed)),
        })),
      ],
    ],
    'with a key beyond those of the root': [
      'too-few-roots',
      {},
      (changed) => rootSignatures(changed, ids).map((each) => ({ ...each, key: each.key + 5 })),
    ],
    'signed by a root of no validator in the place of one': [
      'too-few-roots',
      {},
      (changed) => [...rootSignatures(changed, ['north', 'south']), ...rootSignatures(changed, ['zoo'])],
    ],
    'signed by one root with all its keys': [
      'too-few-roots',
      {},
      (changed) => [...rootSignatures(changed, ['north', 'south']), byKey(changed, 'north', 1)],
    ],
  };
  for (const [what, [reason, change, signatures]] of Object.entries(wrong)) {
    it(`${what} is refused`, () => {
      assert.equal(refusalOf(change, signatures), reason);
    });
  }

  it('holds whatever else was signed, and keeps the signatures that it takes alone', () => {
    const needed = rootSignatures(order, ['north', 'south', 'west']);
    const wrong = { ...byKey(order, 'east', 0), signature: new Uint8Array(64).fill(1) };
    const beside: Readonly<Record<string, readonly RootSignature[]>> = {
      'a wrong signature of another validator': [wrong, byKey(order, 'east', 1)],
      'a wrong signature of one that counts': [
        { ...byKey(order, 'north', 1), signature: new Uint8Array(64).fill(1) },
      ],
      'more keys than a root asks for': [byKey(order, 'south', 1)],
      'a key beyond those of the root': [{ ...byKey(order, 'south', 0), key: 7 }],
      'a root of no validator': rootSignatures(order, ['zoo']),
      'a fourth root': rootSignatures(order, ['east']),
    };
    for (const [what, more] of Object.entries(beside)) {
      const outcome = verified({}, () => [...needed, ...more]);
      assert.ok(outcome.kind === 'verified', what);
      const roots = new Set(outcome.signed.signatures.map(({ institution }) => institution));
      assert.deepEqual([roots.size, outcome.signed.signatures.length], [3, 6], what);
      // What is passed on holds by itself.
      assert.equal(verifyRestart(outcome.signed, context).kind, 'verified', what);
    }
  });

  it('that cannot hold any more is looked at no further', () => {
    let looks = 0;
    const verify: typeof verifySignature = () => (looks++, false);
    const signatures = ids.flatMap((id) => [0, 1, 2].map((key) => byKey(order, id, key)));
    assert.equal(verifyRestart({ order, signatures }, { ...context, verify }).kind, 'refused');
    // Without two of four there is no quorum; each has three keys.
    assert.equal(looks, 6);
  });

  it('is not signed by an institution without a root', () => {
    const institution = () => ({ root: nobody });
    const outcome = verifyRestart(
      { order, signatures: rootSignatures(order, ids) },
      { ...context, institution },
    );
    assert.deepEqual(outcome, { kind: 'refused', reason: 'too-few-roots' });
  });
});
