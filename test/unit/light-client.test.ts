/** The light client believes a box nothing that a quorum of validators did not sign and a proof does not show. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import {
  decodeCanonical,
  encodeCanonical,
  type CborValue,
} from '../../firmware/src/encoding/canonical-cbor.ts';
import { hash } from '../../firmware/src/encoding/hash.ts';
import { encodeCertificate, voteMessage } from '../../firmware/src/consensus/signatures.ts';
import type { Certificate } from '../../firmware/src/consensus/types.ts';
import {
  encodeGenesis,
  encodeHeader,
  encodeTransaction,
  genesisState,
  stateKeys,
  studyId,
  toBasisId,
} from '../../firmware/src/ledger/index.ts';
import type { BlockHeader, StateProof } from '../../firmware/src/ledger/types.ts';
import { openGenesis } from '../../firmware/wallet/checkpoint.ts';
import { LightClient } from '../../firmware/wallet/light-client.ts';
import { headAgeMsMax, headAheadMsMax } from '../../firmware/wallet/limits.ts';
import { bytesOf, signerOf } from '../fakes/ledger.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';

const consortium = new WalletConsortium();
const { fixture } = consortium;
const { body } = fixture.register('north', 'a', [signerOf('owner')], { chain: consortium.chain }).transaction;
assert.ok(body.type === 'study.register');
consortium.commit(encodeTransaction(fixture.sign(body, fixture.box('north').transaction)));
const id = studyId(consortium.chain, body.source, body.batch, 0);

const first = openGenesis(encodeGenesis(consortium.genesis), consortium.chain);
assert.ok(first);
const client = new LightClient(consortium.chain, first);
const { header, certificate } = consortium;

async function reasonFor(
  change: { readonly header?: BlockHeader; readonly certificate?: Certificate; readonly now?: number } = {},
): Promise<string> {
  const evidence = {
    header: encodeHeader(change.header ?? header),
    certificate: encodeCertificate(change.certificate ?? certificate),
  };
  const head = await client.verifyHead(evidence, change.now ?? header.time);
  return head.kind === 'refused' ? head.reason : head.kind;
}

test('a header with the finalizations of n−f validators is believed', async () => {
  assert.equal(await reasonFor(), 'head');
  const all = consortium.certify(header, ['north', 'south', 'east', 'west']);
  assert.equal(await reasonFor({ certificate: all }), 'head');
});

test('fewer than a quorum, one signature repeated, or a stranger is not believed', async () => {
  assert.equal(await reasonFor({ certificate: consortium.certify(header, ['north', 'south']) }), 'no-quorum');
  const [first, second, third] = certificate.signatures;
  assert.ok(first && second && third);
  const stranger = {
    validator: third.validator,
    signature: signerOf('stranger').sign(voteMessage(consortium.chain, certificate)),
  };
  assert.equal(
    await reasonFor({ certificate: { ...certificate, signatures: [first, second, stranger] } }),
    'no-quorum',
  );
  // The same signature under another validator's number.
  const renamed = { validator: 3, signature: third.signature };
  assert.equal(
    await reasonFor({ certificate: { ...certificate, signatures: [first, second, renamed] } }),
    'no-quorum',
  );
  const flipped = third.signature.slice();
  flipped[40] = (flipped[40] as number) ^ 1;
  assert.equal(
    await reasonFor({
      certificate: { ...certificate, signatures: [first, second, { ...third, signature: flipped }] },
    }),
    'no-quorum',
  );
});

test('a repeated validator is not even a certificate', async () => {
  const [first, second] = certificate.signatures;
  assert.ok(first && second);
  assert.equal(
    await reasonFor({ certificate: { ...certificate, signatures: [first, second, second] } }),
    'malformed',
  );
});

test('notarizations are no finalization', async () => {
  const content = { ...certificate, kind: 'notarize' } as const;
  const message = voteMessage(consortium.chain, content);
  const signatures = certificate.signatures.map(({ validator }) => ({
    validator,
    signature: fixture.box(consortium.genesis.validators[validator] as string).voting.sign(message),
  }));
  assert.equal(await reasonFor({ certificate: { ...content, signatures } }), 'not-final');
});

test('a changed header, or the certificate of another, is refused', async () => {
  assert.equal(await reasonFor({ header: { ...header, stateRoot: bytesOf('forged') } }), 'not-final');
  assert.equal(await reasonFor({ header: { ...header, time: header.time + 1 } }), 'not-final');
  const other = consortium.certify({ ...header, height: header.height + 1 }, ['north', 'south', 'east']);
  assert.equal(await reasonFor({ certificate: other }), 'not-final');
  assert.equal(await reasonFor({ certificate: { ...certificate, view: certificate.view - 1 } }), 'not-final');
  assert.equal(await reasonFor({ certificate: { ...certificate, view: certificate.view + 1 } }), 'no-quorum');
  assert.equal(await reasonFor({ certificate: { ...certificate, epoch: 1 } }), 'not-final');
});

test('another chain is refused though its validators signed', async () => {
  const foreign = { ...header, chain: bytesOf('another chain') };
  const signed = consortium.certify(foreign, ['north', 'south', 'east']);
  assert.equal(await reasonFor({ header: foreign, certificate: signed }), 'other-chain');
});

test('an old head is stale, one from the future is refused', async () => {
  assert.equal(await reasonFor({ now: header.time + headAgeMsMax }), 'head');
  assert.equal(await reasonFor({ now: header.time + headAgeMsMax + 1 }), 'stale');
  assert.equal(await reasonFor({ now: header.time - headAheadMsMax }), 'head');
  assert.equal(await reasonFor({ now: header.time - headAheadMsMax - 1 }), 'ahead');
});

test('bytes that are no header or certificate are refused', async () => {
  const good = { header: encodeHeader(header), certificate: encodeCertificate(certificate) };
  for (const evidence of [
    { ...good, header: new Uint8Array(5) },
    { ...good, header: new Uint8Array(0) },
    { ...good, certificate: new Uint8Array(5) },
    { header: good.certificate, certificate: good.header },
  ]) {
    assert.deepEqual(await client.verifyHead(evidence, header.time), {
      kind: 'refused',
      reason: 'malformed',
    });
  }
});

const present = stateKeys.study(id);
const absent = stateKeys.basis(toBasisId(bytesOf('no such grant')));
const keys = [present, absent];
const proofs = keys.map((key) => consortium.state.prove(key));
const evidence = { header: encodeHeader(header), certificate: encodeCertificate(certificate) };
const valuesOf = (changed: readonly StateProof[], asked: readonly string[] = keys) =>
  client.verifyValues(evidence, asked, changed, header.time);

test('proved presence and proved absence are believed', async () => {
  const proven = await valuesOf(proofs);
  assert.ok(proven.kind === 'proven');
  assert.ok(proven.values[0] instanceof Uint8Array);
  assert.equal(proven.values[1], null);
  assert.equal(proven.header.height, header.height);
});

test('forged presence and absence, and proofs of other keys, are refused', async () => {
  const [here, nowhere] = proofs;
  assert.ok(here && nowhere);
  const refusal = { kind: 'refused', reason: 'proof' };
  assert.deepEqual(await valuesOf([{ ...here, value: null }, nowhere]), refusal);
  assert.deepEqual(await valuesOf([{ ...here, value: bytesOf('forged') }, nowhere]), refusal);
  assert.deepEqual(await valuesOf([here, { ...nowhere, value: bytesOf('forged') }]), refusal);
  assert.deepEqual(await valuesOf([nowhere, here]), refusal);
  assert.deepEqual(await valuesOf([here, { ...here, key: absent }]), refusal);
  assert.deepEqual(await valuesOf([here]), refusal);
  assert.deepEqual(await valuesOf([here, nowhere, here]), refusal);
  const siblings = here.siblings.map(() => bytesOf('forged'));
  assert.deepEqual(await valuesOf([{ ...here, siblings }, nowhere]), refusal);
});

test('a proof is worth nothing under a head that is not believed', async () => {
  const stale = await client.verifyValues(evidence, keys, proofs, header.time + headAgeMsMax + 1);
  assert.deepEqual(stale, { kind: 'refused', reason: 'stale' });
});

test('only the genesis document that the digest names is a checkpoint', () => {
  const bytes = encodeGenesis(consortium.genesis);
  assert.deepEqual(first, genesisState(consortium.genesis).epoch());
  assert.deepEqual(
    first.validators.map(({ id: name }) => name),
    ['north', 'south', 'east', 'west'],
  );
  assert.equal(openGenesis(bytes, bytesOf('another')), undefined);
  const changed = encodeGenesis({ ...consortium.genesis, validators: ['north'] });
  assert.equal(openGenesis(changed, consortium.chain), undefined);
});

test('a document with the right digest but another form is no checkpoint', () => {
  const document = decodeCanonical(encodeGenesis(consortium.genesis)) as {
    readonly [key: string]: CborValue;
  };
  const forms: readonly Uint8Array[] = [
    fromHex('ff'),
    encodeCanonical(5),
    encodeCanonical({ ...document, validators: ['nobody'] }),
    encodeCanonical({ ...document, validators: 5 }),
    encodeCanonical({ ...document, institutions: [5] }),
  ];
  for (const bytes of forms) assert.equal(openGenesis(bytes, hash('genesis', bytes)), undefined);
});
