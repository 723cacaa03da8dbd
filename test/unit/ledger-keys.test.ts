/** institution.update and institution.replace: new keys, and what the old ones can do no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { buildBlock, keysMessage, verifyIdentitySignature } from '../../firmware/src/ledger/index.ts';
import type { LedgerState } from '../../firmware/src/ledger/types.ts';
import {
  boxOf,
  bytesOf,
  keysExpiry,
  LedgerFixture,
  rootSignerOf,
  signerOf,
  verifyIdentity,
  verifySignature,
} from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;
const old = boxOf('north');
const renewed = boxOf('renewed');
const keys = certifiedKeys('north', 'renewed');

function nextEpoch(state: LedgerState): LedgerState {
  const time = state.epoch().startTime + state.parameters().epochMs;
  return buildBlock(state, ledger.genesisHeader, {
    view: 1,
    time,
    proposer: 'south',
    candidates: [],
    verify: verifySignature,
  }).state;
}

function registration(signer: typeof old.transaction) {
  const { body } = ledger.register('north', 'batch', [signerOf('owner')]).transaction;
  return ledger.sign(body, signer);
}

test('new transaction keys hold at once, the voting key from the next epoch on', () => {
  const updated = applied(initial, consortium.update('north', 2, keys, old.transaction));
  assert.deepEqual(updated.institution('north')?.keys, keys);
  assert.equal(updated.institution('north')?.version, 2);
  assert.equal(refusal(updated, registration(old.transaction)), 'bad-signature');
  assert.ok(applied(updated, registration(renewed.transaction)));
  assert.deepEqual(updated.epoch().validators[0]?.voting, old.voting.publicKey);
  const next = nextEpoch(updated);
  assert.deepEqual(next.epoch().validators[0]?.voting, renewed.voting.publicKey);
  assert.deepEqual(next.epochOf(0)?.validators[0]?.voting, old.voting.publicKey);
});

test('updates are numbered: none applies twice, none is left out', () => {
  const first = consortium.update('north', 2, certifiedKeys('north', 'north'), old.transaction);
  const moved = { ...candidate('north').endpoints, https: 'https://elsewhere:1' };
  const second = consortium.update('north', 3, certifiedKeys('north', 'north'), old.transaction, {
    endpoints: moved,
  });
  assert.equal(refusal(initial, second), 'version-gap');
  const both = applied(applied(initial, first), second);
  assert.equal(both.institution('north')?.endpoints.https, 'https://elsewhere:1');
  assert.equal(refusal(both, first), 'version-stale');
  assert.equal(refusal(both, second), 'version-stale');
});

test('an update is certified by the same identity key, and its keys are nobody else’s', () => {
  const by = (change: Parameters<typeof certifiedKeys>[2], name = 'renewed'): string =>
    refusal(initial, consortium.update('north', 2, certifiedKeys('north', name, change), old.transaction));
  assert.equal(by({ identityName: 'another' }), 'wrong-identity');
  assert.equal(by({ certificate: certifiedKeys('south', 'renewed').certificate }), 'bad-certificate');
  assert.equal(by({ expiry: 0 }), 'institution-keys-expired');
  assert.equal(by({}, 'south'), 'key-in-use');
  assert.equal(by({ transport: renewed.voting.publicKey }), 'key-in-use');
  assert.equal(by({ voting: bytesOf('no point of the curve, or not of prime order 1') }), 'bad-key');
  assert.equal(
    refusal(initial, consortium.update('north', 2, keys, boxOf('south').transaction)),
    'bad-signature',
  );
});

test('identity signatures are judged as node:crypto judges them, but for a high s', () => {
  const { identity, certificate } = certifiedKeys('north', 'renewed');
  const message = keysMessage('north', certifiedKeys('north', 'renewed'));
  const high = certificate.slice();
  const s = p256.Point.Fn.ORDER - BigInt(`0x${toHex(certificate.subarray(32))}`);
  high.set(fromHex(s.toString(16).padStart(64, '0')), 32);
  assert.ok(verifyIdentitySignature(identity, message, certificate));
  assert.ok(verifyIdentity(identity, message, high) && !verifyIdentitySignature(identity, message, high));
  const offCurve = identity.slice();
  offCurve[64]! ^= 1;
  assert.equal(verifyIdentitySignature(offCurve, message, certificate), false);
  for (let bit = 0; bit < 512; bit += 37) {
    const changed = certificate.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(verifyIdentitySignature(identity, message, changed), false);
    assert.equal(verifyIdentity(identity, message, changed), false);
  }
  assert.equal(verifyIdentitySignature(identity, message, new Uint8Array(64)), false);
  assert.equal(verifyIdentitySignature(identity.subarray(1), message, certificate), false);
});

test('a voting key that another still votes with in this epoch is taken', () => {
  const updated = applied(initial, consortium.update('north', 2, keys, old.transaction));
  const stolen = certifiedKeys('south', 'taker', { voting: old.voting.publicKey });
  assert.equal(
    refusal(updated, consortium.update('south', 2, stolen, boxOf('south').transaction)),
    'key-in-use',
  );
});

test('a certificate that has run out stops everything but its own renewal', () => {
  const transaction = consortium.update(
    'north',
    2,
    certifiedKeys('north', 'renewed', { expiry: 2 * keysExpiry }),
    old.transaction,
  );
  const time = keysExpiry;
  assert.equal(refusal(initial, consortium.signal('north', 2), time), 'institution-keys-expired');
  const state = applied(initial, transaction, time);
  assert.ok(applied(state, consortium.signal('north', 2, renewed.transaction), time));
});

test('two of three root keys replace a dead box, identity and all, without a vote', () => {
  const fresh = certifiedKeys('north', 'renewed', { identityName: 'identity of the new box' });
  const state = applied(initial, consortium.replace('north', 2, fresh, [1, 3]));
  assert.deepEqual(state.institution('north')?.keys, fresh);
  assert.equal(refusal(state, registration(old.transaction)), 'bad-signature');
  assert.ok(applied(state, registration(renewed.transaction)));
  assert.deepEqual(state.epoch().validators[0]?.voting, old.voting.publicKey);
  assert.deepEqual(nextEpoch(state).epoch().validators[0], {
    id: 'north',
    voting: renewed.voting.publicKey,
    identity: fresh.identity,
  });
});

test('fewer, foreign or doubled root keys replace nothing', () => {
  const by = (
    roots: readonly number[],
    ...signers: Parameters<typeof consortium.replace>[5] & object
  ): string =>
    refusal(
      initial,
      consortium.replace('north', 2, keys, roots, {}, signers.length === 0 ? undefined : signers),
    );
  assert.equal(by([1]), 'bad-signature');
  assert.equal(by([1, 4]), 'bad-signature');
  assert.equal(
    by([1, 2], rootSignerOf('north', 2), rootSignerOf('north', 1)),
    'bad-signature',
    'in another order',
  );
  assert.equal(by([1, 2], rootSignerOf('south', 1), rootSignerOf('south', 2)), 'bad-signature');
  assert.equal(by([1, 2], old.transaction, old.transaction), 'bad-signature');
});

test('a root can be replaced by itself, and then signs no more; a root of nobody signs nothing', () => {
  const root = { keys: [signerOf('new root').publicKey], threshold: 1 };
  const state = applied(initial, consortium.replace('north', 2, keys, [1, 2], { root }));
  const next = certifiedKeys('north', 'next');
  assert.equal(refusal(state, consortium.replace('north', 3, next, [1, 2])), 'bad-signature');
  const rootless = applied(
    state,
    consortium.replace('north', 3, next, [1], { root: { keys: [], threshold: 0 } }, [signerOf('new root')]),
  );
  assert.equal(
    refusal(rootless, consortium.replace('north', 4, keys, [1], {}, [signerOf('new root')])),
    'bad-signature',
  );
});
