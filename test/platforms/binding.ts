/**
 * Every operation of the binding at least once, on the new TPM at the given TCTI, which is taken, rescued and cleared. Ends
 * with status 0 if all did their work and none was left out.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { isSignedBy, readCertification, readQuote } from '../../firmware/src/attestation/attest.ts';
import { makeCredential } from '../../firmware/src/attestation/credential.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { tpmOperations } from '../../firmware/tpm/broker/registry.ts';
import {
  BrokerClient,
  fixedEndpoint,
  nameOf,
  pcrPolicyDigest,
  type Guarded,
  type ObjectBlob,
  type OperationName,
  type Operations,
} from '../../firmware/tpm/index.ts';
import {
  approvalContent,
  boundRegisters,
  deviceBranches,
  devicePolicyDigest,
  deviceSteps,
  type ApprovedFirmware,
} from '../../firmware/tpm/keys/device-policy.ts';
import { parseSigningPoint } from '../../firmware/tpm/wire/structures.ts';
import { rescueKeyArea } from '../../firmware/tpm/wire/templates.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { systemClock } from '../support/manual-clock.ts';
import { offlineKey } from '../support/offline-key.ts';

/** QEMU runs a processor some twenty times slower: the binding's own time-outs would end what only takes its time. */
const slowness = 20;

const [tcti = assert.fail('which TCTI?')] = process.argv.slice(2);
const broker = new BrokerClient({
  endpoint: fixedEndpoint(tcti),
  logger: silentLogger,
  clock: { setTimer: (ms, run) => systemClock.setTimer(slowness * ms, run) },
});

const called = new Set<string>();

function call<Name extends OperationName>(
  operation: Name,
  request: Operations[Name]['request'],
): Promise<Operations[Name]['answer']> {
  called.add(operation);
  return broker.call(operation, request);
}

async function step(what: string, work: () => Promise<void>): Promise<void> {
  await work();
  process.stdout.write(`ok  ${what}\n`);
}

const registers = boundRegisters;
const values = await call('readPcrs', { registers });
const rootName = await call('prepare', null);
const countMax = await call('readCounter', { counter: 'firmware', rootName });
const running: ApprovedFirmware = { values, countMax };
await call('writeFirstApproval', { rootName, content: approvalContent([running]) });
const offline = offlineKey();
const lockValue = randomBytes(32);
const lock = await call('createLock', { rootName, value: lockValue });
const rescue = { key: offline.point, lock };
const policy = devicePolicyDigest(rescue);
const attestationKey = await call('createAttestationKey', { rootName });
const point = parseSigningPoint(attestationKey.publicArea);
const { blob: identity, creation } = await call('createIdentity', { rootName, policy, registers });
/** The owner's and the lock-out authorization, 32 bytes each. */
const ownersBlob = await call('seal', { rootName, policy, secret: randomBytes(64) });

/** The object as the firmware opens it that alone is approved. */
function guardedBy(firmware: ApprovedFirmware, blob: ObjectBlob): Guarded {
  return { blob, rootName, policy: deviceSteps(firmware, [firmware], rescue) };
}
const authorizations = guardedBy(running, ownersBlob);

await step('pin the storage root key', async () => {
  assert.deepEqual(await call('rootName', null), rootName);
  assert.deepEqual(await call('readPcrs', { registers, rootName }), values);
});

await step('seal and unseal', async () => {
  const secret = randomBytes(32);
  const blob = await call('seal', { rootName, policy, secret });
  assert.deepEqual(Buffer.from(await call('unseal', guardedBy(running, blob))), secret);
});

await step('sign', async () => {
  const request = { ...guardedBy(running, identity), digest: randomBytes(32) };
  assert.equal((await call('sign', request)).length, 64);
});

await step('random', async () => {
  assert.equal((await call('random', { rootName, length: 64 })).length, 64);
});

await step('quote', async () => {
  const nonce = randomBytes(32);
  const { attested, signature } = await call('quote', { attestationKey, rootName, nonce, registers });
  assert.ok(isSignedBy(point, attested, signature));
  assert.deepEqual(Buffer.from(readQuote(attested).extraData), nonce);
});

await step('certify a creation', async () => {
  const request = { attestationKey, rootName, object: identity, creation };
  const { attested, signature } = await call('certifyCreation', request);
  assert.ok(isSignedBy(point, attested, signature));
  assert.deepEqual(readCertification(attested).name, nameOf(identity.publicArea));
});

await step('activate a credential', async () => {
  const { kind, publicArea } = await call('readEndorsement', {});
  const secret = randomBytes(32);
  const name = nameOf(attestationKey.publicArea);
  const random = randomBytes(challengeRandomBytes);
  const made = await makeCredential(readEndorsementKey(publicArea), name, secret, random);
  const request = { attestationKey, rootName, kind, credential: made.blob, encryptedSecret: made.seed };
  assert.deepEqual(Buffer.from(await call('activateCredential', request)), secret);
});

await step('be refused', async () => {
  const zeros = values.map(() => new Uint8Array(32));
  const wrong = pcrPolicyDigest({ registers, values: zeros });
  const blob = await call('seal', { rootName, policy: wrong, secret: randomBytes(32) });
  const steps = [{ kind: 'pcr', pcrs: { registers, values } }] as const;
  await assert.rejects(call('unseal', { blob, rootName, policy: steps }), /TPM_RC_POLICY_FAIL/);
});

await step('take the TPM', async () => {
  assert.equal(await call('ownership', null), 'nobody');
  await call('takeOwnership', { authorizations, content: approvalContent([running]) });
  assert.equal(await call('ownership', null), 'complete');
  const message = randomBytes(100);
  const mac = await call('authenticate', { authorizations, message });
  assert.equal(await call('checkAuthentic', { authorizations, message, mac, isTaken: true }), null);
});

await step('count', async () => {
  const before = await call('readCounter', { counter: 'starts', rootName });
  assert.equal(await call('stepCounter', { counter: 'starts', authorizations }), before + 1);
});

await step('approve', async () => {
  const next = { values: values.map(() => randomBytes(32)), countMax: countMax + 1 };
  const content = approvalContent([running, next]);
  await call('writeApproval', { content, authorizations });
  assert.deepEqual(await call('readApproval', { rootName }), content);
  const alone = approvalContent([next]);
  const underBoth = { ...authorizations, policy: deviceSteps(running, [running, next], rescue) };
  await call('writeApproval', { content: alone, authorizations: underBoth });
  await assert.rejects(call('unseal', authorizations), { code: 'TPM_POLICY' });
});

await step('be rescued, end a lock-out, and be cleared', async () => {
  const rescued: ApprovedFirmware = { values, countMax: countMax + 2 };
  const approval = approvalContent([rescued]);
  const message = await call('beginRescue', { rootName });
  const signature = p256.Signature.fromBytes(await offline.sign(message), 'der').toBytes('compact');
  await call('finishRescue', {
    ...{ rootName, signature, lock, lockValue, approval },
    rescueKey: rescueKeyArea(offline.point),
    branches: deviceBranches(rescue),
    authorizations: ownersBlob,
  });
  assert.deepEqual(await call('readApproval', { rootName }), approval);
  const opened = guardedBy(rescued, ownersBlob);
  assert.equal(await call('lockedOut', null), false);
  await call('resetLockout', { authorizations: opened });
  await call('clear', { authorizations: opened });
  assert.equal(await call('ownership', null), 'nobody');
});

await broker.close();
assert.deepEqual(
  Object.keys(tpmOperations).filter((operation) => !called.has(operation)),
  [],
  'operations that were left out',
);
