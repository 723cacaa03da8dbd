/** The protocol room against golden vectors that an independent program in another language makes from the specification. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { equalBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import type { AccessGrant } from '../../firmware/src/ledger/types.ts';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import { makeAddress, readAddress } from '../../firmware/src/protocol/addresses.ts';
import {
  chunkLeaf,
  chunkLength,
  instanceHash,
  instanceKey,
  StudyCommitment,
  studyTop,
} from '../../firmware/src/protocol/commitments.ts';
import { decodeScalar, signWithScalar } from '../../firmware/src/protocol/edwards25519.ts';
import { openGrantNote } from '../../firmware/src/protocol/grant-note.ts';
import { statementDigest } from '../../firmware/src/protocol/statements.ts';
import { isGrantee, recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import { instancePrefix, parseInstancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { mailboxMessage } from '../../firmware/src/protocol/mailbox-proof.ts';
import { decodeManifest, encodeManifest, verifyManifest } from '../../firmware/src/protocol/manifests.ts';
import { noteHash, openStudyNote, sealStudyNote } from '../../firmware/src/protocol/notes.ts';
import { deriveNoteKey } from '../../firmware/src/protocol/one-time-keys.ts';
import { recogniseOneTime, registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { verifySignature } from '../fakes/ledger.ts';
import {
  addressVector,
  commitmentVector,
  grantNoteVector,
  noteVector,
  ownerKeyVectors,
  vectorFolder,
} from '../support/protocol-vectors.ts';

test('the independent program makes the same vectors', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-vectors-'));
  try {
    const program = fileURLToPath(new URL('protocol-reference.py', vectorFolder));
    await promisify(execFile)('/usr/bin/python3', [program, folder]);
    const made = await readdir(folder);
    assert.equal(made.length, 5);
    for (const name of made) {
      const [fresh, golden] = await Promise.all([
        readFile(join(folder, name), 'utf8'),
        readFile(new URL(name, vectorFolder), 'utf8'),
      ]);
      assert.equal(fresh, golden, name);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('owner keys: account, one-time key, tag, tweak', async () => {
  const { chain, r, cases } = await ownerKeyVectors();
  for (const vector of cases) {
    const { institution, index, tag } = vector;
    const account = deriveAccount(fromHex(vector.seed), institution);
    assert.equal(toHex(account.spend.publicKey), vector.spend);
    assert.equal(toHex(account.view), vector.view);
    assert.equal(toHex(account.viewKey), vector.viewKey);
    const recipient = {
      chain: fromHex(chain),
      institution,
      index,
      spend: account.spend.publicKey,
      view: account.view,
    };
    const owner = registerOwner(recipient, fromHex(r));
    assert.deepEqual(
      {
        ephemeral: toHex(owner.ephemeral),
        prk: toHex(owner.prk),
        ownerKey: toHex(owner.ownerKey),
        tag: owner.tag,
      },
      { ephemeral: vector.ephemeral, prk: vector.prk, ownerKey: vector.ownerKey, tag },
    );
    const recognised = recogniseOneTime(account, { ...owner, chain: fromHex(chain), index });
    assert.ok(recognised);
    assert.equal(toHex(recognised.tweak), vector.tweak);
    assert.equal(toHex(recognised.prk), vector.prk);
    assert.equal(toHex(recognised.signer.publicKey), vector.ownerKey);
  }
});

test('owner keys: signature with the raw scalar', async () => {
  const { random, cases } = await ownerKeyVectors();
  for (const { scalar, message, signature, ownerKey } of cases) {
    const k = decodeScalar(fromHex(scalar));
    assert.ok(k);
    assert.equal(toHex(signWithScalar(k, fromHex(random), fromHex(message))), signature);
    assert.ok(verifySignature(fromHex(ownerKey), fromHex(message), fromHex(signature)));
  }
});

test('address and mailbox proof', async () => {
  const vector = await addressVector();
  const [chain, nonce, golden] = [vector.chain, vector.nonce, vector.address].map(fromHex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const { institution } = vector;
  const account = deriveAccount(fromHex(vector.seed), institution);
  const made = await makeAddress(account, chain, nonce);
  // The signature is randomised; all before it is not.
  assert.ok(equalBytes(made.subarray(0, -64), golden.subarray(0, -64)));
  const read = readAddress(golden, { chain, institution, nonce, verify: verifySignature });
  assert.deepEqual(read, {
    kind: 'address',
    address: { spend: account.spend.publicKey, view: account.view },
  });
  const message = mailboxMessage({ chain, institution, spend: account.spend.publicKey, nonce });
  assert.equal(toHex(message), vector.mailboxMessage);
});

test('note: key, ciphertext, hash', async () => {
  const vector = await noteVector();
  const { index } = vector;
  const [prk, commitment] = [fromHex(vector.prk), fromHex(vector.commitment)];
  const note = { ...vector.note, salt: fromHex(vector.note.salt) };
  assert.equal(toHex(deriveNoteKey(prk, index, commitment)), vector.noteKey);
  const sealed = await sealStudyNote(prk, index, commitment, note);
  assert.equal(toHex(sealed), vector.ciphertext);
  assert.equal(toHex(noteHash(sealed)), vector.noteHash);
  assert.deepEqual(await openStudyNote(prk, index, commitment, fromHex(vector.ciphertext)), note);
});

test('commitment: keys, leaves, instance hashes, manifest', async () => {
  const vector = await commitmentVector();
  const salt = fromHex(vector.salt);
  assert.equal(toHex(studyTop(salt)), vector.top);
  const study = new StudyCommitment(studyTop(salt));
  for (const golden of vector.instances) {
    const key = instanceKey(salt, golden.number);
    assert.equal(toHex(key), golden.key);
    const bytes = Uint8Array.from({ length: golden.length }, (_, i) => i % 251);
    const leaves = new Uint8Array(golden.leaves.length / 2);
    for (let n = 0; n * 32 < leaves.length; n++) {
      const chunk = bytes.subarray(n * chunkBytes, n * chunkBytes + chunkLength(golden.length, n));
      leaves.set(chunkLeaf(key, n, chunk), n * 32);
    }
    assert.equal(toHex(leaves), golden.leaves);
    const instance = { key, length: golden.length, leaves };
    assert.equal(toHex(instanceHash(instance)), golden.hash);
    study.add(instance);
  }
  assert.equal(toHex(study.commitment()), vector.commitment);
  assert.equal(toHex(encodeManifest(study)), vector.manifest);
  const decoded = decodeManifest(fromHex(vector.manifest));
  assert.ok(decoded.kind === 'manifest' && verifyManifest(decoded.manifest, fromHex(vector.commitment)));
});

test('beginning of an instance', async () => {
  const vector = await commitmentVector();
  const [transferSyntaxUid, sopClassUid, sopInstanceUid] = vector.uids;
  const identity = { transferSyntaxUid, sopClassUid, sopInstanceUid };
  assert.equal(toHex(instancePrefix(identity)), vector.instancePrefix);
  const dataSetOffset = vector.instancePrefix.length / 2;
  assert.deepEqual(parseInstancePrefix(fromHex(`${vector.instancePrefix}08000500`)), {
    identity,
    dataSetOffset,
  });
});

test('grant: note for both, recognition, tweak', async () => {
  const vector = await grantNoteVector();
  const bytesFields = ['chain', 'studyId', 'granteeKey', 'ephemeral', 'termsHash'];
  const body = Object.fromEntries(
    Object.entries(vector.body).map(([name, value]) => [
      name,
      bytesFields.includes(name) ? fromHex(String(value)) : value,
    ]),
  );
  const grant = { ...body, note: fromHex(vector.note) } as unknown as AccessGrant;
  const { terms } = vector.content;
  const expected = {
    ...vector.content,
    terms: {
      ...terms,
      patientAtGrantee: fromHex(terms.patientAtGrantee),
      consent: fromHex(terms.consent),
      salt: fromHex(terms.salt),
    },
  };
  const consent = statementDigest('consent', fromHex(vector.consentSalt), fromHex(vector.consentStatement));
  assert.equal(toHex(consent), terms.consent);
  assert.deepEqual(await openGrantNote(grant, 'source', fromHex(vector.sourceViewKey)), expected);
  assert.deepEqual(await openGrantNote(grant, 'grantee', fromHex(vector.granteeViewKey)), expected);
  const grantee = deriveAccount(fromHex(vector.granteeSeed), vector.content.grantee);
  const recognised = recogniseGrant(grantee, grant);
  assert.ok(recognised);
  assert.equal(toHex(recognised.tweak), vector.tweak);
  assert.ok(isGrantee(fromHex(vector.granteeSpend), recognised.tweak, grant.granteeKey));
});
