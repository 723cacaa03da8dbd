import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stateChanges, stateKeys } from '../../firmware/src/ledger/index.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import { bytesOf, genesisTime, keysExpiry, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const registration = ledger.register('north', 'first', [owner]);
const [study] = registration.ids as readonly [StudyId];
const registered = applied(ledger.initial, registration.transaction);

test('a registration stands in the state as its first version', () => {
  assert.deepEqual(registered.study(study), {
    source: 'north',
    ownerKey: owner.publicKey,
    ownerEpoch: 0,
    ephemeral: bytesOf('ephemeral first'),
    batchIndex: 0,
    tag: 0,
    commitment: bytesOf('commitment first 0 1'),
    noteHash: bytesOf('note first 0'),
    version: 1,
    closed: false,
    registeredAt: soon,
    amendedAt: soon,
    status: 'open',
    actSeq: 0,
    reassignment: null,
    grantSeq: 0,
    revokedUpTo: 0,
    revokedAhead: [],
    grants: 0,
    referralSeq: 0,
    bases: 0,
    opens: 0,
  });
  assert.equal(ledger.initial.study(study), undefined);
});

test('a registration of many studies makes an id and a record for each', () => {
  const owners = Array.from({ length: 5 }, (_, index) => signerOf(`owner ${index}`));
  const { transaction, ids } = ledger.register('south', 'many', owners);
  const state = applied(ledger.initial, transaction);
  assert.equal(new Set(ids).size, 5);
  for (const [index, id] of ids.entries()) {
    assert.equal(state.study(id)?.batchIndex, index);
    assert.deepEqual(state.study(id)?.ownerKey, owners[index]?.publicKey);
  }
  const changed = stateChanges(ledger.initial, state).map(({ key }) => key);
  assert.deepEqual(new Set(changed), new Set([...ids.map(stateKeys.study), stateKeys.records('south')]));
});

test('the same batch is registered once, whole or not at all', () => {
  assert.equal(refusal(registered, registration.transaction), 'study-exists');
  const longer = ledger.register('north', 'first', [signerOf('other'), signerOf('another')]);
  assert.equal(refusal(registered, longer.transaction), 'study-exists');
});

test('two sources may use the same batch number', () => {
  const { transaction, ids } = ledger.register('south', 'first', [owner]);
  assert.notEqual(ids[0], study);
  assert.ok(applied(registered, transaction).study(ids[0] as StudyId));
});

test('a registration needs a known source and its own transaction key', () => {
  const stranger = {
    ...registration.transaction.body,
    source: 'stranger',
  } as typeof registration.transaction.body;
  assert.equal(
    refusal(ledger.initial, ledger.sign(stranger, ledger.box('north').transaction)),
    'unknown-institution',
  );
  for (const signer of [ledger.box('south').transaction, ledger.box('north').voting, owner]) {
    assert.equal(
      refusal(ledger.initial, ledger.sign(registration.transaction.body, signer)),
      'bad-signature',
    );
  }
});

test('an institution whose keys have expired signs no more', () => {
  const { transaction } = ledger.register('north', 'late', [owner], { validUntil: keysExpiry + 1000 });
  assert.ok(applied(ledger.initial, transaction, keysExpiry - 1));
  assert.equal(refusal(ledger.initial, transaction, keysExpiry), 'institution-keys-expired');
});

test('an owner key with torsion, of small order or no point at all is refused', () => {
  // ePrint 2020/1244: a point of order 8; and B plus that point, whose signatures verifiers disagree about.
  for (const ownerKey of [
    Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex'),
    new Uint8Array(32).fill(0xff),
    new Uint8Array(32),
  ]) {
    const { transaction } = ledger.register('north', 'bad', [{ publicKey: ownerKey, sign: () => ownerKey }]);
    assert.equal(refusal(ledger.initial, transaction), 'bad-key');
  }
});

test('a transaction of another chain is refused', () => {
  const other = new LedgerFixture(['north', 'south', 'east', 'far']);
  assert.notDeepEqual(other.chain, ledger.chain);
  assert.equal(refusal(ledger.initial, other.register('north', 'first', [owner]).transaction), 'wrong-chain');
});

test('a signature for one chain does not serve on another', () => {
  const other = new LedgerFixture(['north', 'south', 'east', 'far']);
  const elsewhere = other.register('north', 'first', [owner]).transaction;
  const moved = { body: { ...elsewhere.body, chain: ledger.chain }, signatures: elsewhere.signatures };
  assert.equal(refusal(ledger.initial, moved), 'bad-signature');
});

test('a transaction applies until its block time, and not after', () => {
  const { transaction } = ledger.register('north', 'timed', [owner], { validUntil: genesisTime + 5000 });
  assert.ok(applied(ledger.initial, transaction, genesisTime + 5000));
  assert.equal(refusal(ledger.initial, transaction, genesisTime + 5001), 'expired');
});

test('an amendment replaces the commitment and counts the version', () => {
  const later = soon + 1000;
  const amended = applied(registered, ledger.amend('north', study, 2, { closed: true }), later);
  assert.deepEqual(amended.study(study), {
    ...registered.study(study),
    commitment: bytesOf(`commitment ${study} 2`),
    noteHash: bytesOf(`note ${study} 2`),
    version: 2,
    closed: true,
    amendedAt: later,
  });
  assert.equal(applied(amended, ledger.amend('north', study, 3)).study(study)?.closed, false);
});

test('versions come one by one', () => {
  assert.equal(refusal(registered, ledger.amend('north', study, 1)), 'version-stale');
  assert.equal(refusal(registered, ledger.amend('north', study, 3)), 'version-gap');
  const amend = ledger.amend('north', study, 2);
  assert.equal(refusal(applied(registered, amend), amend), 'version-stale');
});

test('only the source amends, and only what exists', () => {
  assert.equal(refusal(registered, ledger.amend('south', study, 2)), 'not-the-source');
  assert.equal(refusal(ledger.initial, ledger.amend('north', study, 2)), 'unknown-study');
  const { body } = ledger.amend('north', study, 2);
  assert.equal(refusal(registered, ledger.sign(body, ledger.box('south').transaction)), 'bad-signature');
});
