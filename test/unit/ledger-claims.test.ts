/** What a wallet may conclude from proved values: that a permission holds, a study stands, who was sent what. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import { merklePath } from '../../firmware/src/encoding/merkle-tree.ts';
import {
  basisId,
  blockDigest,
  bulkLeaves,
  encodeEntry,
  encodeHeader,
  encodeTransaction,
  stateKeys,
  studyId,
  toBasisId,
  toStudyId,
  genesisBlock,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessEmergency,
  StudyId,
  StudyLeaf,
  StudyRegisterBulk,
} from '../../firmware/src/ledger/types.ts';
import { recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import {
  basisKeys,
  isReleaseTo,
  judgeBasis,
  judgeReceipts,
  judgeStudy,
  judgeStudyBases,
  receiptKeys,
  studyBasisKeys,
  studyKeys,
} from '../../firmware/wallet/ledger-claims.ts';
import { LightClient, valuesAt, verifyOlder } from '../../firmware/wallet/light-client.ts';
import { bytesOf, numbered, signerOf } from '../fakes/ledger.ts';
import type { WalletConsortium } from '../fakes/wallet-consortium.ts';
import { setUpWallet, wish, withCode } from '../support/wallet-set-up.ts';

function evidenceOf({ header, certificate }: WalletConsortium) {
  return { header: encodeHeader(header), certificate: encodeCertificate(certificate) };
}

/** The values of these keys now, as a light client believes them. */
async function provenNow(consortium: WalletConsortium, keys: readonly string[]) {
  const client = new LightClient(consortium.chain, consortium.state.epoch());
  const proofs = keys.map((key) => consortium.state.prove(key));
  const proven = await client.verifyValues(evidenceOf(consortium), keys, proofs, consortium.now);
  assert.ok(proven.kind === 'proven');
  return proven;
}

async function grantedStudy() {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  assert.equal((await wallet.grant({ ...wish, study, maxOpens: 2 })).kind, 'granted');
  const grant = consortium.lastGrant;
  return { consortium, wallet, study, grant, id: basisId(grant) };
}

test('a grant is active from its block on, until it is used up, expired or revoked', async () => {
  const { consortium, wallet, study, grant, id } = await grantedStudy();
  const claim = async () => {
    const { values, header } = await provenNow(consortium, basisKeys(study, id));
    return judgeBasis(study, values, header.time);
  };
  const reason = async () => {
    const judged = await claim();
    return judged.kind === 'active' ? judged.kind : judged.reason;
  };
  assert.equal(await reason(), 'active');
  await consortium.open('south', grant);
  assert.equal(await reason(), 'active');
  await consortium.open('south', grant);
  assert.equal(await reason(), 'opens-exhausted');
  await wallet.revoke({ study });
  assert.equal(await reason(), 'revoked');
  const { values } = await provenNow(consortium, basisKeys(study, id));
  const [standing, basis] = values;
  assert.equal(judgeBasis(study, [standing, null, null], 0).kind, 'inactive');
  assert.equal(judgeBasis(study, [null, basis, null], 0).kind, 'inactive');
  // A basis of another study says nothing of this one.
  const other = toStudyId(bytesOf('other study'));
  assert.deepEqual(judgeBasis(other, values, 0), {
    kind: 'inactive',
    reason: 'unknown-basis',
    basis: undefined,
  });
});

test('a grant has expired when block time says so', async () => {
  const { consortium, study, id } = await grantedStudy();
  consortium.now += 8 * 86_400_000;
  consortium.endEpoch();
  consortium.heartbeat();
  const { values, header } = await provenNow(consortium, basisKeys(study, id));
  const claim = judgeBasis(study, values, header.time);
  assert.equal(claim.kind === 'inactive' && claim.reason, 'basis-expired');
  assert.equal(claim.basis?.maxOpens, 2);
});

test('that a grant was active at an older height is proved from today’s head', async () => {
  const { consortium, wallet, study, id } = await grantedStudy();
  const then = { state: consortium.state, header: consortium.header };
  await wallet.revoke({ study });
  consortium.endEpoch();
  consortium.heartbeat();
  const client = new LightClient(consortium.chain, consortium.state.epoch());
  const head = await client.verifyHead(evidenceOf(consortium), consortium.now);
  assert.ok(head.kind === 'head');
  const all = [genesisBlock(consortium.genesis).header, ...consortium.headers].map(blockDigest);
  const path = merklePath(all.slice(0, head.header.height), then.header.height);
  const older = verifyOlder(head.header, encodeHeader(then.header), path);
  assert.ok(older.kind === 'final');
  const keys = basisKeys(study, id);
  const proven = valuesAt(
    older.header,
    keys,
    keys.map((key) => then.state.prove(key)),
  );
  assert.ok(proven.kind === 'proven');
  assert.equal(judgeBasis(study, proven.values, proven.header.time).kind, 'active');
  const now = await provenNow(consortium, keys);
  assert.equal(judgeBasis(study, now.values, now.header.time).kind, 'inactive');
});

/** Three studies, registered in bulk; the leaf of the second. */
function bulk({ chain, now }: WalletConsortium): {
  readonly body: StudyRegisterBulk;
  readonly leaf: StudyLeaf;
  readonly id: StudyId;
} {
  const entries = [0, 1, 2].map((index) =>
    encodeEntry({
      commitment: numbered('commitment', index),
      ownerKey: signerOf(`owner ${index}`).publicKey,
      tag: index,
      noteHash: numbered('note', index),
    }),
  );
  const body: StudyRegisterBulk = {
    type: 'study.registerBulk',
    chain,
    validUntil: now + 60_000,
    source: 'north',
    batch: bytesOf('bulk').subarray(0, 16),
    ephemeral: bytesOf('ephemeral'),
    entries: new Uint8Array(Buffer.concat(entries)),
  };
  const leaves = bulkLeaves(body.entries);
  const { source, batch } = body;
  const leaf = { source, batch, index: 1, entry: leaves[1] as Uint8Array, path: merklePath(leaves, 1) };
  return { body, leaf, id: studyId(chain, source, batch, 1) };
}

test('a study of a bulk registration stands by its batch and its path, until it has a record of its own', async () => {
  const { consortium } = await setUpWallet();
  const { body, leaf, id } = bulk(consortium);
  const { chain, fixture } = consortium;
  const before = await provenNow(consortium, studyKeys(id, leaf));
  assert.equal(judgeStudy(chain, id, before.values, leaf), undefined);
  consortium.commit(encodeTransaction(fixture.sign(body, fixture.box('north').transaction)));
  const { values } = await provenNow(consortium, studyKeys(id, leaf));
  assert.equal(values[0], null);
  const study = judgeStudy(chain, id, values, leaf);
  assert.equal(study?.source, 'north');
  assert.deepEqual(study?.commitment, numbered('commitment', 1));
  assert.equal(study?.registeredAt, consortium.header.time);

  // Without its leaf, with another's, bent, or under another id it is not there.
  assert.equal(judgeStudy(chain, id, values), undefined);
  const bent: readonly StudyLeaf[] = [
    { ...leaf, index: 0 },
    { ...leaf, index: 2 },
    { ...leaf, entry: leaf.entry.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) },
    { ...leaf, path: leaf.path.slice(1) },
    { ...leaf, path: [...leaf.path].reverse() },
    { ...leaf, source: 'south' },
  ];
  for (const wrong of bent) assert.equal(judgeStudy(chain, id, values, wrong), undefined);
  assert.equal(judgeStudy(chain, toStudyId(bytesOf('other')), values, leaf), undefined);
  assert.equal(judgeStudy(bytesOf('other chain'), id, values, leaf), undefined);
});

test('an omitted receipt and an omitted permission are noticed', async () => {
  const { consortium, study, grant, id } = await grantedStudy();
  await consortium.open('south', grant);
  await consortium.open('south', grant);
  const record = consortium.state.study(study);
  assert.ok(record);
  const receipts = await provenNow(consortium, receiptKeys(study, record));
  assert.deepEqual(
    judgeReceipts(record, receipts.values)?.map(({ openNo, basisId: of }) => [openNo, toBasisId(of)]),
    [
      [1, id],
      [2, id],
    ],
  );
  assert.equal(judgeReceipts(record, receipts.values.slice(0, 1)), undefined);
  assert.equal(judgeReceipts(record, [receipts.values[0], null]), undefined);
  assert.equal(judgeReceipts(record, []), undefined);
  const bases = await provenNow(consortium, studyBasisKeys(study, record));
  assert.deepEqual(judgeStudyBases(record, bases.values), [id]);
  assert.equal(judgeStudyBases(record, [null]), undefined);
  assert.equal(judgeStudyBases(record, []), undefined);
  assert.throws(() => judgeReceipts(record, [bytesOf('no record'), null]), withCode('LEDGER_UNPROVEN'));
});

test('to whom a release went is shown by the tweak of its grant, to no other', async () => {
  const { consortium, study, grant, id } = await grantedStudy();
  await consortium.open('south', grant);
  const tweak = recogniseGrant(consortium.account('south'), grant)?.tweak;
  assert.ok(tweak);
  const record = consortium.state.basis(id);
  const [south, east] = ['south', 'east'].map((name) => consortium.state.institution(name));
  const receipt = consortium.state.open(study, 1);
  assert.ok(record && south && east && receipt);
  assert.equal(isReleaseTo(south, tweak, receipt, { id, record }), true);
  assert.equal(isReleaseTo(east, tweak, receipt, { id, record }), false);
  assert.equal(isReleaseTo(south, bytesOf('other'), receipt, { id, record }), false);
  const other = toBasisId(bytesOf('other'));
  assert.equal(isReleaseTo(south, tweak, receipt, { id: other, record }), false);
});

test('what a member did without the owner stands in the wallet’s history, and cannot be left out', async () => {
  const { consortium, wallet, study, grant } = await grantedStudy();
  await consortium.open('south', grant);
  const { fixture, chain } = consortium;
  const body: AccessEmergency = {
    type: 'access.emergency',
    chain,
    validUntil: consortium.now + 60_000,
    institution: 'east',
    studyId: grant.studyId,
    granteeKey: signerOf('emergency').publicKey,
    ephemeral: bytesOf('ephemeral'),
    tag: 1,
    termsHash: bytesOf('terms'),
    note: bytesOf('a sealed reason'),
  };
  consortium.commit(encodeTransaction(fixture.sign(body, fixture.box('east').transaction)));
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.others.map(({ kind, institution, status }) => [kind, institution, status]),
    [['emergency', 'east', 'active']],
  );
  assert.equal(history.grants.length, 1);
  consortium.tamper = (_institution, path, answer) => {
    if (!path.startsWith('/ledger/proof')) return answer;
    const { proofs, ...evidence } = answer.body as { readonly proofs: readonly { readonly key: string }[] };
    const hidden = proofs.map((proof) =>
      proof.key === stateKeys.studyBasis(study, 2) ? { ...proof, value: null } : proof,
    );
    return { ...answer, body: { ...evidence, proofs: hidden } };
  };
  await assert.rejects(wallet.history(study), withCode('LEDGER_UNPROVEN'));
});
