import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeCanonical, type CborValue } from '../../firmware/src/encoding/canonical-cbor.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { checkGreeting, encodeGreeting } from '../../firmware/src/p2p/greeting.ts';
import { greetingBytesMax, protocolNameBytesMax } from '../../firmware/src/p2p/limits.ts';

const chain = new Uint8Array(32).fill(7);
const right = { version: 1, chain, institution: 'birch', purpose: 'messages' };
const expected = { chain, institution: 'birch' };
const misbehaved = (error: unknown): boolean => error instanceof AppError && error.code === 'PEER_MISBEHAVED';

describe('a greeting', () => {
  it('gives its purpose to the one it is meant for', () => {
    assert.equal(checkGreeting(encodeGreeting(right), expected), 'messages');
  });

  it('fits its limit with the longest names', () => {
    const longest = { chain, institution: 'x'.repeat(32), purpose: 'p'.repeat(protocolNameBytesMax) };
    assert.ok(encodeGreeting(longest).length <= greetingBytesMax);
  });

  for (const [what, value] of [
    ['another version', { ...right, version: 2 }],
    ['another ledger', { ...right, chain: new Uint8Array(32) }],
    ['another institution', { ...right, institution: 'cedar' }],
    ['no purpose', { ...right, purpose: '' }],
    ['a purpose that is too long', { ...right, purpose: 'p'.repeat(protocolNameBytesMax + 1) }],
    ['an unknown field', { ...right, more: 1 }],
    ['a missing field', { version: 1, chain, institution: 'birch' }],
    ['a list', [1, chain, 'birch', 'messages']],
  ] as const satisfies readonly (readonly [string, CborValue])[]) {
    it(`with ${what} is refused`, () => {
      assert.throws(() => checkGreeting(encodeCanonical(value), expected), misbehaved);
    });
  }

  it('of any other bytes is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: greetingBytesMax }), (bytes) => {
        assert.throws(() => checkGreeting(bytes, expected), misbehaved);
      }),
    );
  });
});
