/** What a real TPM certifies of keys that its owner prepared by himself, and how members tell them from a box's. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { noFormerOrigins } from '../../firmware/src/attestation/expectation.ts';
import { judgeOrigin } from '../../firmware/src/attestation/judge-origin.ts';
import type { Claim } from '../../firmware/src/attestation/messages.ts';
import { TpmDevice } from '../../firmware/src/box/attesting-device.ts';
import { BrokerClient, nameOf, pcrPolicyDigest, simulatorAuthorityFiles } from '../../firmware/tpm/index.ts';
import { devicePolicyDigest } from '../../firmware/tpm/keys/device-policy.ts';
import { originStatement } from '../../firmware/tpm/wire/key-origin.ts';
import { policyOrDigest } from '../../firmware/tpm/wire/policy.ts';
import { X509Certificate, generateKeyPairSync } from 'node:crypto';
import { FreshTpm } from '../support/fresh-tpm.ts';

const run = promisify(execFile);
const registers = [7, 11];
const approvalIndex = '0x0180684c';

async function authorities(tpm: FreshTpm): Promise<readonly Uint8Array[]> {
  const files = simulatorAuthorityFiles(tpm.stateFolder);
  return Promise.all(
    files.map(async (file) => new Uint8Array(new X509Certificate(await readFile(file)).raw)),
  );
}

/** What the box itself claims. */
async function claimOfBox(tpm: FreshTpm): Promise<Claim> {
  const keys = await tpm.openKeys();
  return new TpmDevice(keys.attester, () => authorities(tpm)).claim();
}

/** Somebody with root at the machine, before any box was there. */
async function openBroker(t: TestContext, tpm: FreshTpm): Promise<BrokerClient> {
  const broker = new BrokerClient({ endpoint: tpm.softwareTpm, logger: tpm.logger });
  t.after(() => broker.close());
  return broker;
}

/** Keys that the TPM makes for him under a policy that he chose, and all that the TPM says of them. */
async function claimOfOwner(tpm: FreshTpm, broker: BrokerClient, policy: Uint8Array): Promise<Claim> {
  const rootName = await broker.call('prepare', null);
  const attestationKey = await broker.call('createAttestationKey', { rootName });
  const { blob, creation } = await broker.call('createIdentity', { rootName, policy, registers });
  const key = { attestationKey, rootName };
  const certified = await broker.call('certifyCreation', { ...key, object: blob, creation });
  const nonce = originStatement(nameOf(blob.publicArea), nameOf(attestationKey.publicArea));
  const taken = await broker.call('quote', { ...key, nonce, registers });
  const { publicArea, certificate } = await broker.call('readEndorsement', {});
  return {
    type: 'claim',
    certificates: [certificate, ...(await authorities(tpm))],
    endorsementKey: publicArea,
    attestationKey: attestationKey.publicArea,
    identityKey: blob.publicArea,
    certification: certified.attested,
    signature: certified.signature,
    creation: creation.data,
    originRegisters: await broker.call('readPcrs', { registers }),
    taken: taken.attested,
    takenSignature: taken.signature,
    rescueKey: new Uint8Array(0),
    rescueLock: new Uint8Array(0),
  };
}

/** The checks that fail, where members accept a firmware with these registers. */
async function failuresOf(claim: Claim, accepted: readonly Uint8Array[]): Promise<readonly string[]> {
  const [authority, firmware] = accepted;
  assert.ok(authority && firmware);
  const { checks, device } = await judgeClaim(claim, {
    trust: { roots: [], development: true },
    now: Date.now(),
  });
  const origin =
    device &&
    judgeOrigin(device, { bootAuthorities: [authority], releases: [firmware], former: noFormerOrigins });
  return [...checks, ...(origin ? [origin] : [])].filter(({ passed }) => !passed).map(({ name }) => name);
}

test('the keys of a box show that an accepted firmware made them; those of another firmware never do', async (t) => {
  const tpm = await FreshTpm.make(t);
  const accepted = await tpm.installFirmware('accepted\n');
  const claim = await claimOfBox(tpm);
  assert.deepEqual(await failuresOf(claim, accepted), []);
  const others = await FreshTpm.make(t);
  await others.installFirmware('not accepted\n');
  const foreign = await claimOfBox(others);
  assert.deepEqual(await failuresOf(foreign, accepted), ['key-origin']);
  // The owner boots the accepted firmware afterwards, and shows what held then: the keys were made before.
  assert.deepEqual(await failuresOf({ ...foreign, originRegisters: accepted }, accepted), ['key-origin']);
  // An accepted firmware makes no such statement of keys that were there before.
  assert.deepEqual(
    await failuresOf({ ...claim, taken: foreign.taken, takenSignature: foreign.takenSignature }, accepted),
    ['key-origin'],
  );
});

test("an identity key under a policy of its own is told from a box's by what the TPM certifies", async (t) => {
  const tpm = await FreshTpm.make(t);
  const accepted = await tpm.installFirmware('accepted\n');
  const broker = await openBroker(t, tpm);
  const values = await broker.call('readPcrs', { registers });
  const own = await claimOfOwner(tpm, broker, pcrPolicyDigest({ registers, values }));
  assert.deepEqual(await failuresOf(own, accepted), ['device-policy']);
  // The public area says another policy than the key has: then it is another key.
  const good = await claimOfOwner(tpm, broker, devicePolicyDigest(undefined));
  const painted = { ...own, identityKey: good.identityKey };
  assert.deepEqual(await failuresOf(painted, accepted), ['certification']);
});

test('an approval index that its owner may write by other means makes another policy', async (t) => {
  const tpm = await FreshTpm.make(t);
  const accepted = await tpm.installFirmware('accepted\n');
  const broker = await openBroker(t, tpm);
  const tool = async (name: string, ...args: string[]): Promise<void> => {
    const tcti = ['-T', await tpm.tcti()];
    await run('tpm2_flushcontext', [...tcti, '-t']);
    await run(`tpm2_${name}`, [...tcti, ...args], { cwd: tpm.folder });
  };
  /** What the TPM itself makes of a policy that asks this index. */
  const policyOver = async (...how: string[]): Promise<Uint8Array> => {
    await tool('nvdefine', approvalIndex, '-C', 'o', '-s', '34', ...how);
    await tool('nvwrite', approvalIndex, '-C', 'o', '-i', 'content');
    await tool('startauthsession', '-S', 'trial');
    await tool('policyauthorizenv', '-S', 'trial', approvalIndex, '-L', 'branch');
    await tool('flushcontext', 'trial');
    await tool('nvundefine', approvalIndex, '-C', 'o');
    const branch = new Uint8Array(await readFile(join(tpm.folder, 'branch')));
    return policyOrDigest([branch, branch]);
  };
  await run('truncate', ['-s', '34', join(tpm.folder, 'content')]);
  const attributes = 'ownerwrite|authread|no_da|writeall';
  // The control: as a box defines it.
  assert.deepEqual(await policyOver('-a', attributes), devicePolicyDigest(undefined));
  await run('truncate', ['-s', '32', join(tpm.folder, 'policy')]);
  const others = [
    await policyOver('-a', `${attributes}|authwrite`),
    await policyOver('-a', `${attributes}|policywrite`, '-L', 'policy'),
    await policyOver('-a', attributes, '-L', 'policy'),
  ];
  for (const policy of others)
    assert.deepEqual(await failuresOf(await claimOfOwner(tpm, broker, policy), accepted), ['device-policy']);
});

test('a box with an offline rescue key says whose it is, and cannot keep it from the members', async (t) => {
  const tpm = await FreshTpm.make(t);
  const accepted = await tpm.installFirmware('accepted\n');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  tpm.rescueKey = new Uint8Array(
    Buffer.concat([Buffer.of(4), Buffer.from(x ?? '', 'base64url'), Buffer.from(y ?? '', 'base64url')]),
  );
  const claim = await claimOfBox(tpm);
  assert.deepEqual(claim.rescueKey, tpm.rescueKey);
  assert.deepEqual(await failuresOf(claim, accepted), []);
  const silent = { ...claim, rescueKey: new Uint8Array(0), rescueLock: new Uint8Array(0) };
  assert.deepEqual(await failuresOf(silent, accepted), ['device-policy']);
});
