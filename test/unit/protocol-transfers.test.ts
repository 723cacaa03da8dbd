/** A study goes from the source's custody to a patient's wallet: both keys sign, and the note opens for the new one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signingMessage } from '../../firmware/src/ledger/index.ts';
import type { StudyId, StudyTransfer } from '../../firmware/src/ledger/types.ts';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import { openStudyNote, type StudyNote } from '../../firmware/src/protocol/notes.ts';
import { recogniseOneTime, registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { statementDigest } from '../../firmware/src/protocol/statements.ts';
import { prepareOwner, recogniseNewOwner } from '../../firmware/src/protocol/transfers.ts';
import { bytesOf, LedgerFixture } from '../fakes/ledger.ts';
import { registerBulk, transferBody } from '../fakes/ledger-studies.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const { chain } = ledger;
const custody = deriveAccount(bytesOf('custody seed'), 'north');
const wallet = deriveAccount(bytesOf('wallet seed'), 'north');
const stranger = deriveAccount(bytesOf('stranger seed'), 'north');
const batchIndex = 2;
const content: StudyNote = {
  salt: bytesOf('salt'),
  kind: 'imaging-study',
  studyInstanceUid: '1.2.3',
  date: '20260101',
  modalities: ['CT'],
  description: 'Thorax',
  instances: 3,
  bytes: 1000,
};

function addressOf({ spend, view }: typeof wallet, index = batchIndex) {
  return { chain, institution: 'north', spend: spend.publicKey, view, index };
}

test('from custody to a wallet: recognised by it alone, signed by both, its note readable by the new owner', async () => {
  const before = registerOwner(addressOf(custody), bytesOf('r of the batch'));
  // A batch whose third study is in custody; its commitment and ephemeral key are what the fixture makes.
  const owners = ['one', 'two'].map((name) => ({ publicKey: bytesOf(name) }));
  const bulk = registerBulk(ledger, 'north', 'batch', [...owners, { publicKey: before.ownerKey }], {
    ephemeral: before.ephemeral,
  });
  const registered = applied(ledger.initial, bulk.transaction);
  const study = bulk.ids[batchIndex] as StudyId;
  const commitment = bytesOf(`commitment batch ${batchIndex} 1`);
  const owner = recogniseOneTime(custody, {
    chain,
    ephemeral: before.ephemeral,
    index: batchIndex,
    tag: before.tag,
    ownerKey: before.ownerKey,
  });
  assert.ok(owner !== undefined);

  const { note, prk, ...fields } = await prepareOwner(
    addressOf(wallet),
    bytesOf('fresh r'),
    commitment,
    content,
  );
  const leaf = bulk.leaves[batchIndex];
  assert.ok(leaf !== undefined);
  const body: StudyTransfer = transferBody(
    ledger,
    study,
    { publicKey: fields.newOwnerKey },
    { ...fields, leaf },
  );
  assert.equal(recogniseNewOwner(stranger, body, batchIndex), undefined);
  assert.equal(recogniseNewOwner(wallet, body, batchIndex + 1), undefined, 'of another place in the batch');
  const next = recogniseNewOwner(wallet, body, batchIndex);
  assert.ok(next !== undefined);

  const message = signingMessage(body);
  const [leaving, coming] = [await owner.signer.sign(message), await next.signer.sign(message)];
  assert.equal(refusal(registered, { body, signatures: [coming, leaving] }), 'bad-signature');
  const moved = applied(registered, { body, signatures: [leaving, coming] });
  assert.deepEqual(moved.study(study)?.ownerKey, next.signer.publicKey);
  assert.deepEqual(moved.study(study)?.batchIndex, batchIndex);
  assert.deepEqual(await openStudyNote(next.prk, batchIndex, commitment, note), content);
  assert.deepEqual(next.prk, prk);
  assert.equal(
    await openStudyNote(owner.prk, batchIndex, commitment, note),
    undefined,
    'not for the one before',
  );
});

test('statements are committed to by kind, salt and content, each apart', () => {
  const [a, b] = [new TextEncoder().encode('one'), new TextEncoder().encode('two')];
  const salt = bytesOf('salt');
  const digests = [
    statementDigest('consent', salt, a),
    statementDigest('attestations', salt, a),
    statementDigest('confirmation', salt, a),
    statementDigest('attestations', salt, a, b),
    statementDigest('attestations', salt, b, a),
    statementDigest('attestations', salt, new Uint8Array([...a, ...b])),
    statementDigest('consent', bytesOf('another salt'), a),
  ].map((digest) => Buffer.from(digest).toString('hex'));
  assert.equal(new Set(digests).size, digests.length);
  assert.throws(() => statementDigest('consent', salt), RangeError);
  assert.throws(() => statementDigest('consent', new Uint8Array(31), a), RangeError);
});
