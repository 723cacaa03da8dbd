/** Each family of the binding's operations once, on the TPM at the given TCTI. Ends with status 0 if all did their work. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isSignedBy, readCertification, readQuote } from '../../firmware/src/attestation/attest.ts';
import { makeCredential } from '../../firmware/src/attestation/credential.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { BrokerClient, fixedEndpoint, nameOf, pcrPolicyDigest } from '../../firmware/tpm/index.ts';
import { parseSigningPoint } from '../../firmware/tpm/wire/structures.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { systemClock } from '../support/manual-clock.ts';

/** QEMU runs a processor some twenty times slower: the binding's own time-outs would end what only takes its time. */
const slowness = 20;

const [tcti = assert.fail('which TCTI?')] = process.argv.slice(2);
const broker = new BrokerClient({
  endpoint: fixedEndpoint(tcti),
  logger: silentLogger,
  clock: { setTimer: (ms, run) => systemClock.setTimer(slowness * ms, run) },
});

async function step(what: string, work: () => Promise<void>): Promise<void> {
  await work();
  process.stdout.write(`ok  ${what}\n`);
}

const registers = [7, 11];
const values = await broker.call('readPcrs', { registers });
const pcrs = { registers, values };
const policy = pcrPolicyDigest(pcrs);
const steps = [{ kind: 'pcr', pcrs }] as const;
const rootName = await broker.call('prepare', null);
const attestationKey = await broker.call('createAttestationKey', { rootName });
const point = parseSigningPoint(attestationKey.publicArea);
const { blob: identity, creation } = await broker.call('createIdentity', { rootName, policy, registers });

await step('seal and unseal', async () => {
  const secret = randomBytes(32);
  const blob = await broker.call('seal', { rootName, policy, secret });
  const opened = await broker.call('unseal', { blob, rootName, policy: steps });
  assert.deepEqual(Buffer.from(opened), secret);
});

await step('sign', async () => {
  const request = { blob: identity, rootName, policy: steps, digest: randomBytes(32) };
  assert.equal((await broker.call('sign', request)).length, 64);
});

await step('random', async () => {
  assert.equal((await broker.call('random', { rootName, length: 64 })).length, 64);
});

await step('count', async () => {
  const before = await broker.call('readCounter', { counter: 'starts', rootName });
  assert.ok(before >= 1);
});

await step('quote', async () => {
  const nonce = randomBytes(32);
  const { attested, signature } = await broker.call('quote', { attestationKey, rootName, nonce, registers });
  assert.ok(isSignedBy(point, attested, signature));
  assert.deepEqual(Buffer.from(readQuote(attested).extraData), nonce);
});

await step('certify a creation', async () => {
  const request = { attestationKey, rootName, object: identity, creation };
  const { attested, signature } = await broker.call('certifyCreation', request);
  assert.ok(isSignedBy(point, attested, signature));
  assert.deepEqual(readCertification(attested).name, nameOf(identity.publicArea));
});

await step('activate a credential', async () => {
  const { kind, publicArea } = await broker.call('readEndorsement', {});
  const secret = randomBytes(32);
  const name = nameOf(attestationKey.publicArea);
  const random = randomBytes(challengeRandomBytes);
  const made = await makeCredential(readEndorsementKey(publicArea), name, secret, random);
  const request = { attestationKey, rootName, kind, credential: made.blob, encryptedSecret: made.seed };
  assert.deepEqual(Buffer.from(await broker.call('activateCredential', request)), secret);
});

await step('be refused', async () => {
  const wrong = pcrPolicyDigest({ registers, values: values.map(() => new Uint8Array(32)) });
  const blob = await broker.call('seal', { rootName, policy: wrong, secret: randomBytes(32) });
  await assert.rejects(broker.call('unseal', { blob, rootName, policy: steps }), /TPM_RC_POLICY_FAIL/);
});

await broker.close();
