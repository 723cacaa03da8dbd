/** Grants: source and grantee read them, nobody else can tell for whom or why; tweaks prove the grantee to the source. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { concatBytes, u8 } from '../../firmware/src/encoding/bytes.ts';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { domainPrefix } from '../../firmware/src/encoding/hash.ts';
import { encodeBody } from '../../firmware/src/ledger/body-encoding.ts';
import type { AccessGrant } from '../../firmware/src/ledger/types.ts';
import { deriveAccount, type Account } from '../../firmware/src/protocol/accounts.ts';
import { encodeScalar, groupOrder } from '../../firmware/src/protocol/edwards25519.ts';
import {
  grantNoteBytes,
  openGrantNote,
  sealGrantNote,
  termsHash,
  type GrantTerms,
} from '../../firmware/src/protocol/grant-note.ts';
import { grantKeyIndex, isGrantee, recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import {
  grantNoteContentBytes,
  grantPersonBytesMax,
  grantPurposeBytesMax,
  institutionIdCharactersMax,
} from '../../firmware/src/protocol/limits.ts';
import { registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { pad, sealOnce } from '../../firmware/src/protocol/sealing.ts';
import { verifySignature } from '../fakes/ledger.ts';
import { pattern } from '../support/protocol-vectors.ts';

const chain = pattern(32, 0x10);
const source = deriveAccount(pattern(32, 1), 'north');
const grantee = deriveAccount(pattern(32, 2), 'south');
const stranger = deriveAccount(pattern(32, 3), 'east');

const terms: GrantTerms = {
  purpose: 'Second opinion',
  person: 'Dr. Sørensen',
  patientAtGrantee: pattern(32, 0xe0),
  consent: null,
  salt: pattern(32, 0x20),
};

function bodyFor(to: Account, of: GrantTerms = terms): Omit<AccessGrant, 'note'> {
  const key = registerOwner(
    { chain, institution: to.institution, spend: to.spend.publicKey, view: to.view, index: grantKeyIndex },
    pattern(32, 0x40),
  );
  return {
    type: 'access.grant',
    chain,
    validUntil: 1_000,
    studyId: pattern(32, 0x30),
    ownerEpoch: 0,
    seq: 1,
    granteeKey: key.ownerKey,
    ephemeral: key.ephemeral,
    tag: key.tag,
    termsHash: termsHash(of),
    notBefore: 500,
    expiry: 5_000,
    maxOpens: 2,
    amendments: true,
  };
}

const body = bodyFor(grantee);
const content = { source: 'north', grantee: 'south', terms };
const views = { source: source.view, grantee: grantee.view };
const grant: AccessGrant = { ...body, note: await sealGrantNote(body, content, views) };

test('source and grantee open the note, each with its own key in its own role', async () => {
  assert.deepEqual(await openGrantNote(grant, 'source', source.viewKey), content);
  assert.deepEqual(await openGrantNote(grant, 'grantee', grantee.viewKey), content);
  assert.equal(await openGrantNote(grant, 'source', grantee.viewKey), undefined);
  assert.equal(await openGrantNote(grant, 'grantee', source.viewKey), undefined);
  assert.equal(await openGrantNote(grant, 'grantee', stranger.viewKey), undefined);
});

test('all notes have one size, and none shows grantee, source or purpose', async () => {
  const empty = { purpose: '', person: null, patientAtGrantee: null, consent: null, salt: pattern(32, 0x21) };
  const full: GrantTerms = {
    ...terms,
    purpose: 'p'.repeat(grantPurposeBytesMax),
    person: 'q'.repeat(grantPersonBytesMax),
    consent: pattern(32, 0xc0),
  };
  for (const [of, id] of [
    [empty, 'a'],
    [full, 'a'.repeat(institutionIdCharactersMax)],
  ] as const) {
    const note = await sealGrantNote(bodyFor(grantee, of), { source: id, grantee: id, terms: of }, views);
    assert.equal(note.length, grantNoteBytes);
  }
  assert.equal(grant.note.length, grantNoteBytes);
  const onLedger = Buffer.from(encodeBody(grant));
  for (const secret of ['south', 'north', 'Second', 'rensen']) assert.ok(!onLedger.includes(secret));
  for (const key of [grantee.view, grantee.spend.publicKey, source.view, terms.salt]) {
    assert.ok(!onLedger.includes(Buffer.from(key)));
  }
});

test('two notes of one content differ', async () => {
  const again = await sealGrantNote(body, content, views);
  assert.notDeepEqual(again, grant.note);
});

test('a note does not open under another body', async () => {
  const changes: readonly Partial<AccessGrant>[] = [
    { chain: pattern(32, 0x11) },
    { studyId: pattern(32, 0x31) },
    { ownerEpoch: 1 },
    { seq: 2 },
    { expiry: 5_001 },
    { maxOpens: 3 },
    { amendments: false },
    { validUntil: 1_001 },
    { termsHash: pattern(32, 0) },
  ];
  for (const change of changes) {
    assert.equal(await openGrantNote({ ...grant, ...change }, 'source', source.viewKey), undefined);
  }
});

test('no changed, cut or extended note opens', async () => {
  for (let at = 0; at < grantNoteBytes; at += 9) {
    const note = grant.note.slice();
    note[at] = (note[at] as number) ^ 1;
    const opened = await Promise.all([
      openGrantNote({ ...grant, note }, 'source', source.viewKey),
      openGrantNote({ ...grant, note }, 'grantee', grantee.viewKey),
    ]);
    // A change to the other's sealed key is not mine to see; one of the two must notice.
    assert.ok(opened.includes(undefined), `byte ${at}`);
  }
  for (const note of [grant.note.slice(1), new Uint8Array([...grant.note, 0]), new Uint8Array(0)]) {
    assert.equal(await openGrantNote({ ...grant, note }, 'source', source.viewKey), undefined);
  }
});

test('terms that the body does not commit to, or that are too long, are not sealed', async () => {
  const other = { ...terms, purpose: 'Research' };
  await assert.rejects(sealGrantNote(body, { ...content, terms: other }, views), /other terms/);
  for (const change of [
    { purpose: 'ä'.repeat(grantPurposeBytesMax / 2 + 1) },
    { person: 'x'.repeat(grantPersonBytesMax + 1) },
    { patientAtGrantee: new Uint8Array(31) },
  ]) {
    const wrong = { ...terms, ...change };
    const note = sealGrantNote(bodyFor(grantee, wrong), { ...content, terms: wrong }, views);
    await assert.rejects(note, RangeError);
  }
});

/** As a wallet would seal that tells the hospitals other terms than the ledger: without the check of `sealGrantNote`. */
async function sealUnchecked(unsealed: Omit<AccessGrant, 'note'>): Promise<Uint8Array> {
  const aad = new Uint8Array(encodeBody(unsealed));
  const noteKey = new Uint8Array(pattern(32, 0x90));
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes256Gcm(),
  });
  const sealedKeys: Uint8Array[] = [];
  for (const [role, view] of [
    [1, views.source],
    [2, views.grantee],
  ] as const) {
    const recipientPublicKey = await crypto.subtle.importKey('raw', new Uint8Array(view), 'X25519', true, []);
    const info = new Uint8Array(concatBytes(domainPrefix('grant-note'), u8(role)));
    const { enc, ct } = await suite.seal({ recipientPublicKey, info }, noteKey, aad);
    sealedKeys.push(new Uint8Array(enc), new Uint8Array(ct));
  }
  const value = { ...content, terms: { ...terms } };
  const sealed = await sealOnce(noteKey, pad(encodeCanonical(value), grantNoteContentBytes), aad);
  return concatBytes(u8(1), ...sealedKeys, sealed);
}

test('terms that differ from those on the ledger are not believed', async () => {
  const honest = { ...body, note: await sealUnchecked(body) };
  assert.deepEqual(await openGrantNote(honest, 'source', source.viewKey), content);
  const other = { ...body, termsHash: termsHash({ ...terms, purpose: 'Research' }) };
  const lying = { ...other, note: await sealUnchecked(other) };
  assert.equal(await openGrantNote(lying, 'source', source.viewKey), undefined);
  assert.equal(await openGrantNote(lying, 'grantee', grantee.viewKey), undefined);
});

test('the hash of the terms depends on salt, purpose, person and account', () => {
  const hashes = [
    terms,
    { ...terms, salt: pattern(32, 0x21) },
    { ...terms, purpose: '' },
    { ...terms, person: null },
    { ...terms, patientAtGrantee: null },
  ].map((item) => Buffer.from(termsHash(item)).toString('hex'));
  assert.equal(new Set(hashes).size, hashes.length);
});

test('the grantee recognises the grant and signs with its one-time key; others see nothing of theirs', async () => {
  const recognised = recogniseGrant(grantee, grant);
  assert.ok(recognised);
  const message = pattern(50, 0);
  assert.ok(verifySignature(grant.granteeKey, message, await recognised.signer.sign(message)));
  assert.equal(recogniseGrant(source, grant), undefined);
  assert.equal(recogniseGrant(stranger, grant), undefined);
  assert.equal(recogniseGrant(grantee, { ...grant, chain: pattern(32, 0x11) }), undefined);
  assert.equal(recogniseGrant(grantee, { ...grant, ephemeral: new Uint8Array(32) }), undefined);
});

test('the tweak shows the source whose grant it is', () => {
  const recognised = recogniseGrant(grantee, grant);
  assert.ok(recognised);
  const { tweak } = recognised;
  assert.ok(isGrantee(grantee.spend.publicKey, tweak, grant.granteeKey));
  assert.ok(!isGrantee(source.spend.publicKey, tweak, grant.granteeKey));
  assert.ok(!isGrantee(stranger.spend.publicKey, tweak, grant.granteeKey));
  const other = tweak.slice();
  other[0] = (other[0] as number) ^ 1;
  assert.ok(!isGrantee(grantee.spend.publicKey, other, grant.granteeKey));
  assert.ok(!isGrantee(grantee.spend.publicKey, tweak.slice(1), grant.granteeKey));
  assert.ok(!isGrantee(grantee.spend.publicKey, encodeScalar(groupOrder), grant.granteeKey));
  assert.ok(!isGrantee(new Uint8Array(32), tweak, grant.granteeKey), 'spend key of small order');
});

test('a member that presents the tweak zero passes for nobody but the holder of the very key', () => {
  assert.ok(!isGrantee(stranger.spend.publicKey, new Uint8Array(32), grant.granteeKey));
});
