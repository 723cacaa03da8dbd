import { hkdfSync, randomBytes } from 'node:crypto';
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError } from '../../src/errors.ts';
import type { BrokerClient } from '../broker/client.ts';
import type { Creation } from '../broker/guarded.ts';
import { pcrPolicyDigest, type PcrPolicy } from '../wire/policy.ts';
import type { ObjectBlob } from '../wire/structures.ts';
import type { SecretName, SeedName, StoredEndorsement, StoredKeys } from './keys-file.ts';

/** Registers to which all keys are bound: who vouches for the boot chain (7), and Hilum's own firmware (11). */
const boundRegisters = [7, 11];

const secretBytes = 32;

/** @throws AppError TPM_POLICY for registers into which nothing was measured: any firmware would satisfy that policy. */
async function currentPolicy(broker: BrokerClient): Promise<PcrPolicy> {
  const values = await broker.call('readPcrs', { registers: boundRegisters });
  boundRegisters.forEach((register, index) => {
    if (values[index]?.every((byte) => byte === 0)) {
      throw new AppError(
        'TPM_POLICY',
        `nothing was measured into PCR ${register}: refusing to bind keys to it`,
      );
    }
  });
  return { registers: boundRegisters, values };
}

/** 32 bytes that are random if either the operating system's or the TPM's generator is. */
async function freshSecret(
  broker: BrokerClient,
  rootName: Uint8Array,
  name: SecretName | SeedName,
): Promise<Uint8Array> {
  const fromTpm = await broker.call('random', { rootName, length: secretBytes });
  const material = concatBytes(randomBytes(secretBytes), fromTpm);
  return new Uint8Array(
    hkdfSync('sha256', material, new Uint8Array(0), utf8(`hilum/tpm/${name}/1`), secretBytes),
  );
}

async function sealFresh(
  broker: BrokerClient,
  creation: Creation,
  name: SecretName | SeedName,
): Promise<ObjectBlob> {
  const secret = await freshSecret(broker, creation.rootName, name);
  return broker.call('seal', { ...creation, secret });
}

/** Makes all keys of a box. Nothing stays in the TPM: a power cut before the result is on disk leaves the box new. */
export async function provision(broker: BrokerClient, institutionId: string): Promise<StoredKeys> {
  const policy = await currentPolicy(broker);
  const rootName = await broker.call('rootName', null);
  const creation = { rootName, policy: pcrPolicyDigest(policy) };
  return {
    institutionId,
    rootName,
    policy,
    identity: await broker.call('createIdentity', creation),
    attestation: await broker.call('createAttestationKey', { rootName }),
    endorsement: await recordEndorsement(broker),
    sealed: {
      boxKey: await sealFresh(broker, creation, 'boxKey'),
      accountSeed: await sealFresh(broker, creation, 'accountSeed'),
    },
    seeds: {
      voting: [await sealFresh(broker, creation, 'voting')],
      transaction: [await sealFresh(broker, creation, 'transaction')],
      transport: [await sealFresh(broker, creation, 'transport')],
    },
  };
}

async function recordEndorsement(broker: BrokerClient): Promise<StoredEndorsement> {
  const { kind, name, certificate } = await broker.call('readEndorsement', {});
  return { kind, name, certificateDigest: sha256(certificate) };
}

/** Seals the seed of one more key, under the same policy as all other keys of the box. */
export function sealSeed(
  broker: BrokerClient,
  { rootName, policy }: Pick<StoredKeys, 'rootName' | 'policy'>,
  name: SeedName,
): Promise<ObjectBlob> {
  return sealFresh(broker, { rootName, policy: pcrPolicyDigest(policy) }, name);
}
