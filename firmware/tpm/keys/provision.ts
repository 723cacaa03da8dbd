/** Making the keys of a box: on a new machine, or again on another TPM. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { concatBytes, equalBytes, utf8 } from '../../src/encoding/bytes.ts';
import { hash, sha256 } from '../../src/encoding/hash.ts';
import { AppError } from '../../src/errors.ts';
import type { BrokerClient } from '../broker/client.ts';
import type { Creation } from '../broker/guarded.ts';
import { ownersQualifiedName, parentQualifiedName } from '../wire/creation.ts';
import type { ObjectBlob } from '../wire/structures.ts';
import { guardedBy, measuredRegisters } from './approved-firmware.ts';
import {
  approvalContent,
  boundRegisters,
  boxKeyPolicyDigest,
  devicePolicyDigest,
  type Approval,
  type Rescue,
} from './device-policy.ts';
import {
  authenticatedBytes,
  type SeedName,
  type StoredBoxKey,
  type StoredEndorsement,
  type StoredKeys,
  type UnauthenticatedKeys,
} from './keys-file.ts';
import { recoveryKeyOf, type RecoverySecrets } from './recovery-file.ts';

/** What a restore puts in the place of what was made. */
export type RecoveredKeys = Pick<StoredKeys, 'boxKey' | 'nextBoxKey' | 'accountSeed'>;

const secretBytes = 32;
/** Authorization values of the owner and of lock-out. */
const authorizationsBytes = 2 * secretBytes;

export interface Provisioning {
  readonly institutionId: string;
  /** The hospital's offline rescue key: P-256, uncompressed SEC1. Without it nothing but approved firmware opens keys. */
  readonly rescueKey?: Uint8Array;
  /** The recovery code, 32 bytes: a new one, or that of the box whose place this one takes. */
  readonly code: Uint8Array;
}

/** Bytes that are random if either the operating system's or the TPM's generator is. */
async function freshSecret(
  broker: BrokerClient,
  rootName: Uint8Array,
  name: string,
  length = secretBytes,
): Promise<Uint8Array> {
  const fromTpm = await broker.call('random', { rootName, length });
  const material = concatBytes(randomBytes(length), fromTpm);
  return new Uint8Array(hkdfSync('sha256', material, new Uint8Array(0), utf8(`hilum/tpm/${name}/1`), length));
}

function seal(broker: BrokerClient, creation: Creation, secret: Uint8Array): Promise<ObjectBlob> {
  return broker.call('seal', { ...creation, secret });
}

/** Makes and seals the seed of one more key. */
export async function sealSeed(
  broker: BrokerClient,
  creation: Creation,
  name: SeedName,
): Promise<ObjectBlob> {
  return seal(broker, creation, await freshSecret(broker, creation.rootName, name));
}

/** The TPM that made the keys, and the rescue that opens them besides approved firmware. */
interface Binding {
  readonly rootName: Uint8Array;
  readonly rescue?: Rescue | undefined;
}

/** Seals a box key so that it is dead once the erasure counter is beyond this value. */
async function sealBoxKey(
  broker: BrokerClient,
  { rootName, rescue }: Binding,
  boxKey: Uint8Array,
  erasuresMax: number,
): Promise<StoredBoxKey> {
  const policy = boxKeyPolicyDigest(rescue, erasuresMax);
  return { blob: await seal(broker, { rootName, policy }, boxKey), erasuresMax };
}

/**
 * Seals what a box keeps that comes back with another TPM. Only once that TPM is taken: before, anybody who starts the
 * machine could have a firmware of his own open it. @throws AppError of the TPM.
 */
export async function sealRecovered(
  broker: BrokerClient,
  { rootName, rescue, boxKey: { erasuresMax } }: Pick<StoredKeys, 'rootName' | 'rescue' | 'boxKey'>,
  { boxKey, nextBoxKey, accountSeed }: RecoverySecrets,
): Promise<RecoveredKeys> {
  const made = { rootName, rescue };
  return {
    boxKey: await sealBoxKey(broker, made, boxKey, erasuresMax),
    // The renewal that the other TPM did not live to see goes on here.
    ...(nextBoxKey && { nextBoxKey: await sealBoxKey(broker, made, nextBoxKey, erasuresMax + 1) }),
    accountSeed: await seal(broker, { rootName, policy: devicePolicyDigest(rescue) }, accountSeed),
  };
}

/** Makes a box key and seals it likewise. */
export async function makeBoxKey(
  broker: BrokerClient,
  { rootName, rescue }: Binding,
  erasuresMax: number,
): Promise<StoredBoxKey> {
  const boxKey = await freshSecret(broker, rootName, 'boxKey');
  return sealBoxKey(broker, { rootName, rescue }, boxKey, erasuresMax);
}

/** Authorization value of the object that the recovery code opens. */
export function lockValueOf(code: Uint8Array): Uint8Array {
  return hash('rescue-lock', code);
}

/**
 * Makes all keys of a box. What stays in the TPM (storage root key, counters, the approval of the running firmware)
 * binds nobody until `takeOwnership`, so that a power cut before the keys file is on disk leaves the box new.
 * @throws AppError TPM_OWNED, TPM_POLICY (nothing was measured), TPM_WRONG (another root key than asked for), and of the TPM.
 */
export async function provision(broker: BrokerClient, made: Provisioning): Promise<StoredKeys> {
  const values = await measuredRegisters(broker);
  const rootName = await broker.call('prepare', null);
  const countMax = await broker.call('readCounter', { counter: 'firmware', rootName });
  const approval: Approval = [{ values, countMax }];
  await broker.call('writeFirstApproval', { rootName, content: approvalContent(approval) });
  const rescue: Rescue | undefined = made.rescueKey && {
    key: made.rescueKey,
    lock: await broker.call('createLock', { rootName, value: lockValueOf(made.code) }),
  };
  const creation: Creation = { rootName, policy: devicePolicyDigest(rescue) };
  const attestation = await broker.call('createAttestationKey', { rootName });
  const identity = await broker.call('createIdentity', { ...creation, registers: boundRegisters });
  // A key of the endorsement hierarchy has the same Name, and outlives TPM2_Clear: whoever drives the bus can have it made.
  if (!equalBytes(parentQualifiedName(identity.creation.data), ownersQualifiedName(rootName)))
    throw new AppError('TPM_WRONG', "the storage root key is not one of the owner's hierarchy");
  const certified = await broker.call('certifyCreation', {
    attestationKey: attestation,
    rootName,
    object: identity.blob,
    creation: identity.creation,
  });
  const erasuresMax = await broker.call('readCounter', { counter: 'erasures', rootName });
  const generation = await broker.call('readCounter', { counter: 'keysFiles', rootName });
  const firstStart = await broker.call('readCounter', { counter: 'starts', rootName });
  const fresh = (name: string, length?: number): Promise<Uint8Array> =>
    freshSecret(broker, rootName, name, length);
  const keys: UnauthenticatedKeys = {
    institutionId: made.institutionId,
    rootName,
    approval,
    ...(rescue && { rescue }),
    recoveryKey: recoveryKeyOf(made.code),
    generation,
    firstStart,
    authorizations: await seal(broker, creation, await fresh('authorizations', authorizationsBytes)),
    identity: identity.blob,
    attestation,
    endorsement: await recordEndorsement(broker),
    origin: { values, creation: identity.creation.data, certified },
    boxKey: await makeBoxKey(broker, { rootName, rescue }, erasuresMax),
    accountSeed: await seal(broker, creation, await fresh('accountSeed')),
    seeds: {
      voting: [await sealSeed(broker, creation, 'voting')],
      transaction: [await sealSeed(broker, creation, 'transaction')],
      transport: [await sealSeed(broker, creation, 'transport')],
    },
  };
  const authorizations = guardedBy(keys, approval[0], approval, keys.authorizations);
  const message = authenticatedBytes(keys);
  return { ...keys, mac: await broker.call('authenticate', { authorizations, message }) };
}

async function recordEndorsement(broker: BrokerClient): Promise<StoredEndorsement> {
  const { kind, name, certificate } = await broker.call('readEndorsement', {});
  return { kind, name, certificateDigest: sha256(certificate) };
}
