/** What a TPM says of itself to others, on a software TPM: endorsement, credential, certified identity key, quote. */
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { concatBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import {
  isSignedBy,
  readCertification,
  readCreation,
  readQuote,
} from '../../firmware/src/attestation/attest.ts';
import { makeCredential } from '../../firmware/src/attestation/credential.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { AppError } from '../../firmware/src/errors.ts';
import {
  BrokerClient,
  nameOf,
  type Attesting,
  type EndorsementKind,
  type SignedAttestation,
} from '../../firmware/tpm/index.ts';
import { eventLogBytesMax } from '../../firmware/tpm/wire/limits.ts';
import { parseSigningPoint, pcrSelection } from '../../firmware/tpm/wire/structures.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

const registers = [7, 11];
/** The kinds of which swtpm has a certificate. */
const kinds: readonly EndorsementKind[] = ['ecc-p384-high', 'rsa-2048'];

interface Device extends Attesting {
  readonly tpm: FreshTpm;
  readonly broker: BrokerClient;
}

async function device(t: TestContext): Promise<Device> {
  const tpm = await FreshTpm.make(t);
  const broker = new BrokerClient({ endpoint: tpm.softwareTpm, logger: tpm.logger });
  t.after(() => broker.close());
  const rootName = await broker.call('prepare', null);
  return { tpm, broker, rootName, attestationKey: await broker.call('createAttestationKey', { rootName }) };
}

const pointOf = ({ attestationKey }: Attesting): Uint8Array => parseSigningPoint(attestationKey.publicArea);

function signedBy(key: Attesting, { attested, signature }: SignedAttestation): boolean {
  return isSignedBy(pointOf(key), attested, signature);
}

async function refused(attempt: Promise<unknown>): Promise<AppError> {
  const failure = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof AppError, `expected a fault, got ${String(failure)}`);
  return failure;
}

test('a quote says what the registers hold, over the nonce, and only its own key verifies it', async (t) => {
  const { broker, attestationKey, rootName } = await device(t);
  const key = { attestationKey, rootName };
  const nonce = randomBytes(32);
  const quoted = await broker.call('quote', { ...key, nonce, registers });
  assert.ok(signedBy(key, quoted));
  const said = readQuote(quoted.attested);
  assert.equal(toHex(said.extraData), toHex(nonce));
  assert.equal(toHex(said.selection), toHex(pcrSelection(registers)));
  const values = await broker.call('readPcrs', { registers });
  assert.equal(toHex(said.digest), toHex(sha256(concatBytes(...values))));

  // The next one has another nonce: a replay is told by it. Another key's quote does not verify.
  const later = await broker.call('quote', { ...key, nonce: randomBytes(32), registers });
  assert.notEqual(toHex(readQuote(later.attested).extraData), toHex(nonce));
  const other = { attestationKey: await broker.call('createAttestationKey', { rootName }), rootName };
  assert.ok(!signedBy(other, quoted));
  const forged = { ...quoted, attested: quoted.attested.map((byte, at) => (at === 60 ? byte ^ 1 : byte)) };
  assert.ok(!signedBy(key, forged));
});

test('the attestation key certifies by Name what its TPM made, and what the registers held then', async (t) => {
  const { broker, attestationKey, rootName } = await device(t);
  const key = { attestationKey, rootName };
  // A policy that nothing satisfies: a key is certified whether or not it could be used.
  const request = { rootName, policy: new Uint8Array(32).fill(1), registers };
  const { blob: object, creation } = await broker.call('createIdentity', request);
  const certified = await broker.call('certifyCreation', { ...key, object, creation });
  assert.ok(signedBy(key, certified));
  const said = readCertification(certified.attested);
  assert.equal(toHex(said.name), toHex(nameOf(object.publicArea)));
  assert.equal(toHex(said.creationHash), toHex(sha256(creation.data)));
  const { selection, digest } = readCreation(creation.data);
  assert.equal(toHex(selection), toHex(pcrSelection(registers)));
  const values = await broker.call('readPcrs', { registers });
  assert.equal(toHex(digest), toHex(sha256(concatBytes(...values))));

  // The TPM certifies nothing that it did not say itself: no other registers, and no other object's making.
  const data = creation.data.map((byte, at) => (at === 12 ? byte ^ 1 : byte));
  const forged = broker.call('certifyCreation', { ...key, object, creation: { ...creation, data } });
  assert.match((await refused(forged)).message, /TPM_RC_TICKET/);
  const another = await broker.call('createIdentity', request);
  const mixed = broker.call('certifyCreation', { ...key, object, creation: another.creation });
  assert.match((await refused(mixed)).message, /TPM_RC_TICKET/);
});

test('the endorsement key that the TPM derives is the one that its vendor certified', async (t) => {
  const { broker } = await device(t);
  const strongest = await broker.call('readEndorsement', {});
  assert.equal(strongest.kind, 'ecc-p384-high');
  for (const kind of kinds) {
    const { certificate, publicArea } = await broker.call('readEndorsement', { kind });
    const certified = new X509Certificate(certificate).publicKey.export({ format: 'jwk' });
    const derived = Buffer.from(publicArea);
    const unique = Buffer.from((kind === 'rsa-2048' ? certified.n : certified.y) ?? '', 'base64url');
    assert.ok(unique.length >= 48);
    assert.ok(derived.subarray(-unique.length).equals(unique), kind);
  }
  const failure = await refused(broker.call('readEndorsement', { kind: 'ecc-p256' }));
  assert.match(failure.message, /no endorsement certificate ecc-p256/);
});

for (const kind of kinds) {
  test(`a credential for ${kind} opens in that TPM and for that key only`, async (t) => {
    const here = await device(t);
    const { publicArea } = await here.broker.call('readEndorsement', { kind });
    const endorsementKey = readEndorsementKey(publicArea);
    assert.ok(endorsementKey);
    const secret = randomBytes(32);
    const name = nameOf(here.attestationKey.publicArea);
    const made = await makeCredential(endorsementKey, name, secret, randomBytes(challengeRandomBytes));
    const credential = { kind, credential: made.blob, encryptedSecret: made.seed };
    const activate = ({ broker, attestationKey, rootName }: Device): Promise<Uint8Array> =>
      broker.call('activateCredential', { attestationKey, rootName, ...credential });
    // It takes all three slots of a TPM: a key that stayed loaded for its next quote has left.
    const { attestationKey, rootName } = here;
    const quoting = await here.broker.call('createAttestationKey', { rootName });
    const nonce = randomBytes(32);
    await here.broker.call('quote', { attestationKey: quoting, rootName, nonce, registers });
    assert.equal(toHex(await activate(here)), toHex(secret));

    // The same TPM with another attestation key, another TPM, and a credential that was altered on the way.
    const anotherKey = await here.broker.call('createAttestationKey', { rootName });
    assert.match(
      (await refused(activate({ ...here, attestationKey: anotherKey }))).message,
      /TPM_RC_INTEGRITY/,
    );
    // With RSA it is OAEP that does not open: libtpms calls that a failure of the library below it.
    assert.match((await refused(activate(await device(t)))).message, /TPM_RC_(INTEGRITY|FAILURE)/);
    const altered = made.blob.map((byte, at) => (at === made.blob.length - 1 ? byte ^ 1 : byte));
    const request = { attestationKey, rootName, ...credential, credential: altered };
    const attempt = here.broker.call('activateCredential', request);
    assert.match((await refused(attempt)).message, /TPM_RC_INTEGRITY/);
    // Nor does rubbish, of which a stranger may send any amount, cost the box a process for each.
    for (const [credentialBytes, seedBytes] of [
      [100, 68],
      [100, 258],
      [2, 2],
    ] as const) {
      const rubbish = {
        credential: new Uint8Array(credentialBytes).fill(1),
        encryptedSecret: new Uint8Array(seedBytes).fill(1),
      };
      await refused(here.broker.call('activateCredential', { attestationKey, rootName, kind, ...rubbish }));
    }
    assert.equal(toHex(await activate(here)), toHex(secret));
    assert.equal(here.tpm.logger.lines.filter((line) => line.includes('TPM opened')).length, 1);
  });
}

test('an event log that no member would read is told by the box itself', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { attester } = await tpm.openKeys();
  const { eventLogFile } = tpm.softwareTpm;
  await writeFile(eventLogFile, new Uint8Array(eventLogBytesMax));
  assert.equal((await attester.eventLog()).length, eventLogBytesMax);
  await writeFile(eventLogFile, new Uint8Array(eventLogBytesMax + 1));
  const { code, message } = await refused(attester.eventLog());
  assert.equal(code, 'EVENT_LOG_UNUSABLE');
  assert.match(message, /longer than 262144 bytes/);
});
