/** Two boxes with a TPM each attest to each other, and what a box that lies about its TPM comes to. */
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { beginAttempt } from '../../firmware/src/attestation/challenge.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { noFormerOrigins, type Expectation } from '../../firmware/src/attestation/expectation.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { attest, type Attestation } from '../../firmware/src/attestation/verify.ts';
import { AttestationAnswerer } from '../../firmware/src/attesting/answerer.ts';
import { answerMembers, askMember } from '../../firmware/src/attesting/member-exchange.ts';
import { endorsementPath, TpmDevice } from '../../firmware/src/box/attesting-device.ts';
import { keysMessage } from '../../firmware/src/ledger/index.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { BrokerClient, simulatorAuthorityFiles, type OpenDeviceKeys } from '../../firmware/tpm/index.ts';
import { TpmAttester } from '../../firmware/tpm/keys/attester.ts';
import { readKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { boxOf, bytesOf, institutionOf } from '../fakes/ledger.ts';
import { MemoryHub } from '../fakes/network.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { ManualClock } from '../support/manual-clock.ts';

async function authorities(tpm: FreshTpm): Promise<readonly Uint8Array[]> {
  const files = simulatorAuthorityFiles(tpm.stateFolder);
  return Promise.all(
    files.map(async (file) => new Uint8Array(new X509Certificate(await readFile(file)).raw)),
  );
}

/** The institution's record with the device that its keys are in, certified by its identity key. */
async function recordOf(id: string, keys: OpenDeviceKeys): Promise<Institution> {
  const record = institutionOf(boxOf(id), 0);
  const named = {
    ...record.keys,
    identity: keys.identityPublicKey,
    device: {
      attestationKey: keys.attester.attestationName,
      endorsement: keys.attester.endorsementDigest,
    },
    expiry: Date.now() + 86_400_000,
  };
  const certificate = await keys.signWithIdentity(keysMessage(id, named));
  return { ...record, keys: { ...named, certificate } };
}

class AttestingBox {
  readonly id: string;
  readonly tpm: FreshTpm;
  readonly device: TpmDevice;
  readonly record: Institution;
  readonly answerer: AttestationAnswerer;

  private constructor(id: string, tpm: FreshTpm, device: TpmDevice, record: Institution) {
    this.id = id;
    this.tpm = tpm;
    this.device = device;
    this.record = record;
    this.answerer = new AttestationAnswerer({
      self: id,
      device,
      record: () => Promise.resolve(record),
      clock: new ManualClock(),
    });
  }

  static async make(t: TestContext, id: string): Promise<AttestingBox> {
    const tpm = await FreshTpm.make(t);
    const keys = await tpm.openKeys();
    const device = new TpmDevice(keys.attester, () => authorities(tpm));
    return new AttestingBox(id, tpm, device, await recordOf(id, keys));
  }

  /** The same TPM and keys file, started with a firmware that nobody approved. */
  async withOtherFirmware(t: TestContext): Promise<AttestingBox> {
    const stored = await readKeysFile(this.tpm.keysFile);
    assert.ok(stored);
    await this.tpm.changeFirmware();
    await this.tpm.reboot();
    const { softwareTpm, logger } = this.tpm;
    const broker = new BrokerClient({ endpoint: softwareTpm, logger });
    t.after(() => broker.close());
    const attester = new TpmAttester(broker, stored, softwareTpm.eventLogFile);
    const device = new TpmDevice(attester, () => authorities(this.tpm));
    return new AttestingBox(this.id, this.tpm, device, this.record);
  }

  expecting(candidate: string, record: Institution, change: Partial<Expectation> = {}): Expectation {
    return {
      chain: bytesOf('chain'),
      verifier: this.id,
      candidate,
      trust: { roots: [], development: true },
      record,
      proposed: false,
      former: noFormerOrigins,
      evadedSince: undefined,
      provenTpms: [],
      bootAuthorities: [],
      releases: [],
      now: Date.now(),
      ...change,
    };
  }
}

const random = (): Uint8Array => new Uint8Array(randomBytes(challengeRandomBytes));

function failuresOf(attestation: Attestation): string[] {
  assert.ok(attestation.kind === 'judged', JSON.stringify(attestation));
  return attestation.verdict.checks.filter(({ passed }) => !passed).map(({ name }) => name);
}

test('two members with a TPM each attest to each other', async (t) => {
  const [north, south] = [await AttestingBox.make(t, 'north'), await AttestingBox.make(t, 'south')];
  const hub = new MemoryHub({ clock: new ManualClock() });
  const networks = { north: hub.join('north'), south: hub.join('south') };
  t.after(answerMembers(networks.north, north.answerer));
  t.after(answerMembers(networks.south, south.answerer));
  const ask = (of: AttestingBox, by: AttestingBox, from: 'north' | 'south', change?: Partial<Expectation>) =>
    attest(by.expecting(of.id, of.record, change), askMember(networks[from], of.id, t.signal), random());
  assert.deepEqual(failuresOf(await ask(north, south, 'south')), []);
  const [, firmware] = await south.device.registers();
  assert.ok(firmware);
  assert.deepEqual(failuresOf(await ask(south, north, 'north', { releases: [firmware] })), []);
  // North asks in the name of a third.
  const borrowed = await ask(south, north, 'north', { verifier: 'east' });
  assert.deepEqual(borrowed, { kind: 'refused', reason: 'not-me' });
});

test('neither TPM answers for an endorsement key and an attestation key that are not in one TPM', async (t) => {
  const [north, south] = [await AttestingBox.make(t, 'north'), await AttestingBox.make(t, 'south')];
  // South shows north's endorsement key with its own attestation key, and has both TPMs to ask.
  const { certificates, endorsementKey } = await north.device.claim();
  const swapped = { ...(await south.device.claim()), certificates, endorsementKey };
  const expectation = south.expecting('south', south.record);
  const { device } = await judgeClaim(swapped, expectation);
  assert.ok(device, 'nothing of the claim itself gives it away');
  const { challenge } = await beginAttempt(device, expectation, random());
  for (const helper of [north, south])
    assert.equal(await helper.device.activate(challenge.blob, challenge.seed), undefined, helper.id);
});

test('what is no credential is refused by the TPM, and the TPM goes on', async (t) => {
  const north = await AttestingBox.make(t, 'north');
  for (const length of [0, 1, 64, 512])
    assert.equal(await north.device.activate(new Uint8Array(length), new Uint8Array(length)), undefined);
  assert.equal((await north.device.registers()).length, 2);
});

test('another firmware can quote, and is told from a release that was accepted', async (t) => {
  const north = await AttestingBox.make(t, 'north');
  const [, accepted] = await north.device.registers();
  assert.ok(accepted);
  const examine = async (box: AttestingBox): Promise<string[]> =>
    failuresOf(
      await attest(
        north.expecting('north', north.record, { releases: [accepted], verifier: 'south' }),
        async (request) => (await box.answerer.answer({ member: 'south' }, request)) ?? new Uint8Array(0),
        random(),
      ),
    );
  assert.deepEqual(await examine(north), []);
  // The attestation key needs no policy: it tells the truth about whatever runs.
  const changed = await north.withOtherFirmware(t);
  assert.deepEqual(await examine(changed), ['firmware']);
});

test('certificates are put in order from the endorsement key upwards; what does not belong is left out', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const { certificate } = await keys.attester.endorsement();
  const [issuer, root] = await authorities(tpm);
  assert.ok(issuer && root);
  assert.deepEqual(endorsementPath(certificate, [root, certificate, issuer]), [certificate, issuer, root]);
  assert.deepEqual(endorsementPath(certificate, [root]), [certificate]);
  assert.deepEqual(endorsementPath(certificate, []), [certificate]);
});
