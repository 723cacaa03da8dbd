/** Registration in bulk: a study is opened up at its first use, by its leaf, and is a study like any other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merkleRoot } from '../../firmware/src/encoding/merkle-tree.ts';
import {
  bulkEntryBytes,
  bulkLeaves,
  decodeEntry,
  decodeTransaction,
  encodeEntry,
  encodeTransaction,
  idBytes,
  openLeaf,
  stateChanges,
  stateKeys,
} from '../../firmware/src/ledger/index.ts';
import { bulkEntriesMax } from '../../firmware/src/ledger/limits.ts';
import type {
  LedgerState,
  StudyId,
  StudyLeaf,
  StudyRegisterBulk,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import {
  emergencyBody,
  reassignBody,
  referBody,
  registerBulk,
  statusAct,
  transferBody,
} from '../fakes/ledger-studies.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owners = ['one', 'two', 'three', 'four', 'five'].map(signerOf);
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const bulk = registerBulk(ledger, 'north', 'batch', owners);
const registered = applied(ledger.initial, bulk.transaction);
const study = bulk.ids[2] as StudyId;
const leaf = bulk.leaves[2] as StudyLeaf;
const owner = signerOf('three');

/** The same studies, registered one by one at the same moment. */
const singly = applied(ledger.initial, ledger.register('north', 'batch', owners).transaction);

test('a batch is one record, however many studies it has', () => {
  const changed = stateChanges(ledger.initial, registered).map(({ key }) => key);
  const { batch } = bulk.transaction.body as StudyRegisterBulk;
  const counted = [stateKeys.records('north'), stateKeys.batch('north', batch)];
  assert.deepEqual(new Set(changed), new Set(counted));
  assert.deepEqual(registered.batch('north', batch), {
    root: merkleRoot(bulkLeaves((bulk.transaction.body as StudyRegisterBulk).entries)),
    count: 5,
    ephemeral: bytesOf('ephemeral batch'),
    registeredAt: soon,
  });
  assert.equal(registered.batch('south', batch), undefined);
  assert.equal(registered.study(study), undefined);
});

/** Each kind of first use, as a transaction with or without the leaf. */
const firstUses: Readonly<Record<string, (leaf?: StudyLeaf) => Transaction>> = {
  grant: (brought) =>
    ledger.sign(ledger.grantBody(study, 1, grantee.publicKey, brought && { leaf: brought }), owner),
  'revocation ahead': (brought) =>
    ledger.sign(ledger.revokeBody(study, { basisId: bytesOf('late') }, brought && { leaf: brought }), owner),
  'revocation up to': (brought) =>
    ledger.sign(ledger.revokeBody(study, { upTo: 3 }, brought && { leaf: brought }), owner),
  amendment: (brought) => ledger.amend('north', study, 2, brought && { leaf: brought }),
  freeze: (brought) => statusAct(ledger, 'study.freeze', 'north', study, 1, brought && { leaf: brought }),
  rescission: (brought) =>
    statusAct(ledger, 'study.rescind', 'north', study, 1, brought && { leaf: brought }),
  erasure: (brought) => statusAct(ledger, 'study.erase', 'north', study, 1, brought && { leaf: brought }),
  transfer: (brought) => {
    const next = signerOf('next');
    return ledger.sign(transferBody(ledger, study, next, brought && { leaf: brought }), owner, next);
  },
  reassignment: (brought) => {
    const body = reassignBody(ledger, 'north', study, signerOf('next'), brought && { leaf: brought });
    return ledger.sign(body, source);
  },
  referral: (brought) =>
    ledger.sign(
      referBody(ledger, 'north', study, 1, grantee.publicKey, brought && { leaf: brought }),
      source,
    ),
  emergency: (brought) =>
    ledger.sign(
      emergencyBody(ledger, 'south', study, grantee.publicKey, brought && { leaf: brought }),
      ledger.box('south').transaction,
    ),
};

/** The study's record but for ids that are made of bodies, which differ by the leaf. */
function recordOf(state: LedgerState) {
  const record = state.study(study);
  return record && { ...record, reassignment: record.reassignment && { ...record.reassignment, id: null } };
}

for (const [name, use] of Object.entries(firstUses)) {
  test(`first use by ${name}: with its leaf as if it had been registered singly`, () => {
    const opened = applied(registered, use(leaf));
    assert.deepEqual(recordOf(opened), recordOf(applied(singly, use())));
    assert.equal(refusal(registered, use()), 'unknown-study');
    assert.equal(refusal(ledger.initial, use(leaf)), 'unknown-study', 'the batch may be on its way');
  });

  test(`first use by ${name}: no leaf but its own opens it up`, () => {
    const others: StudyLeaf[] = [
      { ...leaf, index: 3 },
      { ...leaf, entry: encodeEntry({ ...decodeEntry(leaf.entry), ownerKey: grantee.publicKey }) },
      { ...leaf, path: leaf.path.slice(1) },
      { ...leaf, path: [...leaf.path, bytesOf('more')] },
      { ...leaf, path: leaf.path.map((_, index) => bytesOf(`hash ${index}`)) },
      bulk.leaves[0] as StudyLeaf,
    ];
    for (const wrong of others) assert.equal(refusal(registered, use(wrong)), 'wrong-leaf');
    const elsewhere = { ...leaf, source: 'south' };
    assert.equal(refusal(registered, use(elsewhere)), 'unknown-study');
  });
}

test('a leaf that is brought again, or to a study that was registered singly, changes nothing', () => {
  const opened = applied(registered, firstUses['freeze']?.(leaf) as Transaction);
  const thaw = statusAct(ledger, 'study.unfreeze', 'north', study, 2, { leaf });
  const without = statusAct(ledger, 'study.unfreeze', 'north', study, 2);
  assert.deepEqual(applied(opened, thaw).root, applied(opened, without).root);
  assert.deepEqual(
    applied(singly, firstUses['freeze']?.(leaf) as Transaction).root,
    applied(singly, firstUses['freeze']?.() as Transaction).root,
  );
});

test('the studies of a batch are opened up one by one', () => {
  const opened = applied(registered, firstUses['amendment']?.(leaf) as Transaction);
  for (const other of bulk.ids) if (other !== study) assert.equal(opened.study(other), undefined);
});

test('a leaf tells its study’s record before its first use and after it', () => {
  assert.deepEqual(registered.studyOf(leaf), singly.study(study));
  const amended = applied(registered, ledger.amend('north', study, 2, { leaf }));
  assert.deepEqual(amended.studyOf(leaf), amended.study(study));
  assert.equal(ledger.initial.studyOf(leaf), undefined);
  assert.equal(registered.studyOf({ ...leaf, index: 1 }), undefined);
});

test('a batch is registered once, in bulk or singly', () => {
  assert.equal(refusal(registered, bulk.transaction), 'study-exists');
  const again = ledger.register('north', 'batch', owners.slice(0, 1)).transaction;
  assert.equal(refusal(registered, again), 'study-exists');
  assert.equal(refusal(singly, bulk.transaction), 'study-exists');
  assert.ok(applied(registered, registerBulk(ledger, 'south', 'batch', owners).transaction));
});

test('a registration in bulk needs its source’s key', () => {
  for (const signer of [owner, ledger.box('south').transaction, ledger.box('north').voting]) {
    assert.equal(refusal(ledger.initial, ledger.sign(bulk.transaction.body, signer)), 'bad-signature');
  }
  const stranger = { ...bulk.transaction.body, source: 'stranger' } as StudyRegisterBulk;
  assert.equal(refusal(ledger.initial, ledger.sign(stranger, source)), 'unknown-institution');
});

test('an owner key with torsion is registered in bulk, and refused at its first use', () => {
  const torsioned = Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex');
  const bad = registerBulk(ledger, 'north', 'bad', [{ publicKey: new Uint8Array(torsioned) }]);
  const state = applied(ledger.initial, bad.transaction);
  const amend = ledger.amend('north', bad.ids[0] as StudyId, 2, { leaf: bad.leaves[0] as StudyLeaf });
  assert.equal(refusal(state, amend), 'bad-key');
});

test('a wallet opens a leaf up like the ledger does', () => {
  const { batch } = bulk.transaction.body as StudyRegisterBulk;
  const record = registered.batch('north', batch);
  assert.ok(record !== undefined);
  assert.deepEqual(openLeaf(ledger.chain, study, leaf, record), singly.study(study));
  assert.equal(openLeaf(bytesOf('other chain'), study, leaf, record), 'wrong-leaf');
  assert.equal(openLeaf(ledger.chain, study, leaf, { ...record, count: 4 }), 'wrong-leaf');
});

test('the largest registration in bulk fits', () => {
  const entries = new Uint8Array(bulkEntriesMax * bulkEntryBytes);
  const { body } = registerBulk(ledger, 'north', 'large', [owner], { entries }).transaction;
  const longest = { ...body, source: 'a'.repeat(32), validUntil: Number.MAX_SAFE_INTEGER };
  const bytes = encodeTransaction({ body: longest, signatures: [new Uint8Array(64)] });
  assert.ok(bytes.length > bulkEntriesMax * bulkEntryBytes);
  assert.equal(decodeTransaction(bytes).kind, 'transaction');
});

test('entries that are no whole number of entries, none or too many, are no registration', () => {
  for (const length of [
    0,
    1,
    bulkEntryBytes - 1,
    bulkEntryBytes + 1,
    (bulkEntriesMax + 1) * bulkEntryBytes,
  ]) {
    const { transaction } = registerBulk(ledger, 'north', 'odd', [owner], {
      entries: new Uint8Array(length),
    });
    const decoded = decodeTransaction(encodeTransaction(transaction));
    assert.equal(decoded.kind, 'refused', `${length} bytes`);
  }
});

test('an entry is read as it was written', () => {
  const entry = { commitment: bytesOf('c'), ownerKey: bytesOf('k'), tag: 255, noteHash: bytesOf('n') };
  assert.equal(encodeEntry(entry).length, bulkEntryBytes);
  assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  assert.throws(() => encodeEntry({ ...entry, tag: 256 }), RangeError);
  assert.throws(() => encodeEntry({ ...entry, noteHash: new Uint8Array(31) }), RangeError);
  assert.throws(() => decodeEntry(new Uint8Array(96)), RangeError);
  assert.equal(idBytes(study).length, 32);
});
