/** institution.update and institution.replace: new keys, and what the old ones can do no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBlock, keyPurposes, noChain, type KeyPossession } from '../../firmware/src/ledger/index.ts';
import type { DeviceRecord } from '../../firmware/src/ledger/consortium/institution-record.ts';
import type { LedgerState } from '../../firmware/src/ledger/types.ts';
import {
  boxOf,
  bytesOf,
  deviceOf,
  keysExpiry,
  LedgerFixture,
  rootSignerOf,
  signerOf,
  verifySignature,
} from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture, type KeysChange } from '../fakes/ledger-consortium.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;
const old = boxOf('north');
const renewed = boxOf('renewed');
const keys = certifiedKeys(ledger.chain, 'north', 'renewed');

function nextEpoch(
  state: LedgerState,
  time = state.epoch().startTime + state.parameters().epochMs,
): LedgerState {
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
  const first = consortium.update('north', 2, certifiedKeys(ledger.chain, 'north', 'north'), old.transaction);
  const moved = { ...candidate(ledger.chain, 'north').endpoints, https: 'https://elsewhere:1' };
  const second = consortium.update(
    'north',
    3,
    certifiedKeys(ledger.chain, 'north', 'north'),
    old.transaction,
    {
      endpoints: moved,
    },
  );
  assert.equal(refusal(initial, second), 'version-gap');
  const both = applied(applied(initial, first), second);
  assert.equal(both.institution('north')?.endpoints.https, 'https://elsewhere:1');
  assert.equal(refusal(both, first), 'version-stale');
  assert.equal(refusal(both, second), 'version-stale');
});

test('an update is certified by the same identity key, and its keys are nobody else’s', () => {
  const by = (change: KeysChange, name = 'renewed'): string =>
    refusal(
      initial,
      consortium.update('north', 2, certifiedKeys(ledger.chain, 'north', name, change), old.transaction),
    );
  assert.equal(by({ identityName: 'another' }), 'wrong-identity');
  assert.equal(
    by({ certificate: certifiedKeys(ledger.chain, 'south', 'renewed').certificate }),
    'bad-certificate',
  );
  assert.equal(by({ expiry: 0 }), 'institution-keys-expired');
  assert.equal(by({}, 'south'), 'key-in-use');
  assert.equal(by({ signers: { transport: renewed.voting } }), 'key-in-use');
  assert.equal(by({ voting: bytesOf('no point of the curve, or not of prime order 1') }), 'bad-key');
  assert.equal(
    refusal(initial, consortium.update('north', 2, keys, boxOf('south').transaction)),
    'bad-signature',
  );
});

test('an update keeps the account, by which releases are proved', () => {
  const { account } = candidate(ledger.chain, 'south');
  const moved = consortium.update('north', 2, keys, old.transaction, { account });
  assert.equal(refusal(initial, moved), 'wrong-account');
});

test('an identity key is one member’s', () => {
  const identity = certifiedKeys(ledger.chain, 'north', 'renewed', { identityName: 'identity south' });
  assert.equal(refusal(initial, consortium.replace('north', 2, identity, [1, 2])), 'key-in-use');
});

test('a TPM that somebody else names, which nobody can prove to the ledger, stops nobody', () => {
  const naming = (device: DeviceRecord) =>
    consortium.update(
      'west',
      2,
      certifiedKeys(ledger.chain, 'west', 'taker', { device }),
      boxOf('west').transaction,
    );
  // Another member's next keys, seen on their way, as the digest of a certificate.
  const rotation = consortium.update('north', 2, keys, old.transaction);
  for (const purpose of keyPurposes) {
    const taken = applied(initial, naming({ ...deviceOf('west'), endorsement: keys[purpose] }));
    assert.ok(applied(taken, rotation), purpose);
  }
  // The TPM of a dead box's successor, and of a candidate on whom all but one have voted.
  const device = deviceOf('the new box');
  const successor = certifiedKeys(ledger.chain, 'north', 'renewed', { device, identityName: 'successor' });
  assert.ok(applied(applied(initial, naming(device)), consortium.replace('north', 2, successor, [1, 2])));
  const admission = {
    kind: 'admit',
    institution: candidate(ledger.chain, 'fifth'),
    validator: true,
  } as const;
  let state = applied(initial, consortium.propose('north', admission));
  const proposal = consortium.proposeBody('north', admission);
  state = applied(state, consortium.vote('south', proposal));
  state = applied(state, naming(deviceOf('fifth')));
  assert.ok(applied(state, consortium.vote('east', proposal)).institution('fifth'));
});

test('a key that is only seen is not had: whoever holds it still gets it', () => {
  const stranger = boxOf('stranger');
  for (const purpose of keyPurposes) {
    const seen = certifiedKeys(ledger.chain, 'south', 'taker', { [purpose]: stranger[purpose].publicKey });
    const taking = consortium.update('south', 2, seen, boxOf('south').transaction);
    assert.equal(refusal(initial, taking), 'bad-possession', purpose);
    const signers = { [purpose]: stranger[purpose] };
    const own = certifiedKeys(ledger.chain, 'north', 'renewed', { signers });
    assert.ok(applied(initial, consortium.update('north', 2, own, old.transaction)), purpose);
  }
});

test('a proof of possession is for one key, one purpose, one institution, one identity, one chain', () => {
  const { possession } = keys;
  const foreign: readonly (readonly [string, KeyPossession])[] = [
    [
      'of another key',
      { ...possession, voting: certifiedKeys(ledger.chain, 'north', 'next').possession.voting },
    ],
    ['of another purpose', { ...possession, voting: possession.transport, transport: possession.voting }],
    ['for another institution', certifiedKeys(ledger.chain, 'south', 'renewed').possession],
    [
      'for another identity',
      certifiedKeys(ledger.chain, 'north', 'renewed', { identityName: 'another' }).possession,
    ],
    ['for another chain', certifiedKeys(bytesOf('another chain'), 'north', 'renewed').possession],
    ['for a genesis document', certifiedKeys(noChain, 'north', 'renewed').possession],
  ];
  for (const [what, proofs] of foreign) {
    const named = consortium.update('north', 2, { ...keys, possession: proofs }, old.transaction);
    assert.equal(refusal(initial, named), 'bad-possession', what);
  }
});

test('the proof of a key that stays is the one of the record, from the genesis document on; another identity needs its own', () => {
  const record = initial.institution('north')?.keys;
  assert.ok(record !== undefined);
  const { possession } = certifiedKeys(ledger.chain, 'north', 'renewed');
  const kept = { voting: renewed.voting, transaction: old.transaction, transport: old.transport };
  const stay = (change: KeysChange) =>
    certifiedKeys(ledger.chain, 'north', 'unused', {
      signers: kept,
      possession: { ...record.possession, voting: possession.voting },
      ...change,
    });
  assert.ok(applied(initial, consortium.update('north', 2, stay({}), old.transaction)));
  const altered = { ...record.possession, voting: possession.voting, transport: new Uint8Array(64) };
  const wrong = consortium.update('north', 2, stay({ possession: altered }), old.transaction);
  assert.equal(refusal(initial, wrong), 'bad-possession');
  const elsewhere = stay({
    signers: old,
    possession: record.possession,
    identityName: 'identity of the new box',
  });
  assert.equal(refusal(initial, consortium.replace('north', 2, elsewhere, [1, 2])), 'bad-possession');
});

test('a voting key that another still votes with in this epoch is taken', () => {
  const updated = applied(initial, consortium.update('north', 2, keys, old.transaction));
  const stolen = certifiedKeys(ledger.chain, 'south', 'taker', { voting: old.voting.publicKey });
  assert.equal(
    refusal(updated, consortium.update('south', 2, stolen, boxOf('south').transaction)),
    'key-in-use',
  );
});

test('a certificate that has run out stops everything but its own renewal', () => {
  const transaction = consortium.update(
    'north',
    2,
    certifiedKeys(ledger.chain, 'north', 'renewed', { expiry: 2 * keysExpiry }),
    old.transaction,
  );
  const time = keysExpiry;
  assert.equal(refusal(initial, consortium.signal('north', 2), time), 'institution-keys-expired');
  const state = applied(initial, transaction, time);
  assert.ok(applied(state, consortium.signal('north', 2, renewed.transaction), time));
});

test('a certificate that has run out takes nobody from the validators', () => {
  const next = nextEpoch(initial, keysExpiry);
  assert.equal(next.epoch().number, 1);
  assert.deepEqual(next.epoch().validators, initial.epoch().validators);
});

test('two of three root keys replace a dead box, identity and all, without a vote', () => {
  const fresh = certifiedKeys(ledger.chain, 'north', 'renewed', { identityName: 'identity of the new box' });
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
  const next = certifiedKeys(ledger.chain, 'north', 'next');
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
