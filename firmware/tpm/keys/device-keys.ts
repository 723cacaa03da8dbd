import { equalBytes } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError, type ErrorCode } from '../../src/errors.ts';
import type {
  Attester,
  DeviceKeys,
  FirmwareApproval,
  HeldKeys,
  Logger,
  Signer,
  StartCounter,
  TpmHealth,
  TransportKey,
  Unsubscribe,
  VotingKeys,
} from '../../src/ports.ts';
import { BrokerClient } from '../broker/client.ts';
import { fixedEndpoint, type TpmEndpoint } from '../endpoint.ts';
import { healthOf } from '../fault.ts';
import type { TimerSource } from '../timer.ts';
import { parseSigningPoint, type ObjectBlob } from '../wire/structures.ts';
import { ApprovedFirmwares } from './approved-firmware.ts';
import { TpmAttester } from './attester.ts';
import { isRenewing, renewBoxKey, type Rewrap } from './box-key.ts';
import { ed25519Signer } from './ed25519-signer.ts';
import { SealedKeys } from './held-keys.ts';
import { readKeysFile, type SeedName, type StoredKeys } from './keys-file.ts';
import { KeysRecord } from './keys-record.ts';
import { withLowS } from './low-s.ts';
import { makeKeys } from './making.ts';
import { sealSeed } from './provision.ts';
import type { RecoveryHalves } from './recovery-code.ts';
import type { RecoverySecrets } from './recovery-file.ts';
import { writeRecoveryFile } from './recovery-keeping.ts';
import { areUnfinished, giveBack, takeTpm } from './taking.ts';

export type DeviceKeysOptions = {
  /** Path in the data folder; its folder must exist. Made at first use. */
  readonly keysFile: string;
  readonly institutionId: string;
  readonly logger: Logger;
  /** Bounds each operation; the system's timers unless told. */
  readonly clock?: TimerSource;
  /** The hospital's offline rescue key (P-256, uncompressed SEC1); only what is made new takes it. */
  readonly rescueKey?: Uint8Array;
  /** What was measured at this boot; the one of the TPM's endpoint unless told. */
  readonly eventLogFile?: string;
  /** Asked before keys are made, while the TPM is still as it was. What it throws ends the opening. */
  readonly onMaking?: () => Promise<void>;
  /**
   * Shows the recovery code of keys that are made, before they are kept: after a power cut the last one shown is the one
   * that counts. Never told again.
   */
  readonly onRecoveryCode: (halves: RecoveryHalves) => Promise<void> | void;
} & (
  | {
      /** Transport to a TPM that the machine has: `device:/dev/tpmrm0`. */
      readonly tcti: string;
    }
  | {
      /** Stopped by its owner, after these keys. */
      readonly endpoint: TpmEndpoint;
    }
);

export interface OpenDeviceKeys extends DeviceKeys {
  /** As the last use or probe of the TPM found it. */
  health(): TpmHealth;
  onHealthChange(listener: (health: TpmHealth) => void): Unsubscribe;
  /** Asks the TPM whether it is there, the same, in the same state and not locked out. Never rejects. */
  probe(): Promise<TpmHealth>;
  /**
   * Shuts the TPM down and ends the broker. The unsealed keys stay usable: JavaScript cannot promise to erase them, and
   * a zeroed key in the hands of a part that still writes would be worse.
   */
  stop(): Promise<void>;
  /** True if a renewal of the box key was begun and not ended. Nothing may be opened by the box key until it is. */
  readonly isRenewing: boolean;
  /**
   * Makes another box key, has everything wrapped under it, and makes the old one unusable in every copy of the disk.
   * `boxKey` is the new one afterwards. Nothing else may wrap or unwrap meanwhile. @throws AppError of the TPM, STORE_FAILED.
   */
  renewBoxKey(rewrap: Rewrap): Promise<void>;
  /** Ends the dictionary-attack lock-out of the TPM. @throws AppError of the TPM. */
  resetLockout(): Promise<void>;
  /**
   * TPM2_Clear: whatever was ever sealed for this box in its TPM is gone for good, on all copies of its disk. Only what the
   * recovery code opens is left. Stop the box before, and remove the files afterwards. @throws AppError of the TPM.
   */
  clear(): Promise<void>;
}

export interface Secrets extends RecoverySecrets {
  /** In the order of the keys file. */
  readonly seeds: Readonly<Record<SeedName, readonly Uint8Array[]>>;
}

/** The same fault, told about the keys file. */
const messageForFile = new Map<ErrorCode, (file: string) => string>([
  ['TPM_WRONG', (file) => `the TPM is not the one that sealed ${file}`],
  ['STORE_CORRUPT', (file) => `${file} was altered, and not by this box`],
]);

function aboutFile(failure: unknown, file: string): unknown {
  if (!(failure instanceof AppError)) return failure;
  const message = messageForFile.get(failure.code);
  return message ? new AppError(failure.code, message(file), { cause: failure }) : failure;
}

/** A TPM with the keys file that belongs to it. */
interface OpenedTpm {
  readonly broker: BrokerClient;
  readonly endpoint: TpmEndpoint;
  readonly eventLogFile: string;
  readonly record: KeysRecord;
  readonly firmware: ApprovedFirmwares;
}

class TpmDeviceKeys implements OpenDeviceKeys {
  readonly identityPublicKey: Uint8Array;
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  readonly transaction: HeldKeys;
  readonly transport: HeldKeys<TransportKey>;
  readonly attester: Attester;
  readonly accountSeed: Uint8Array;
  readonly firmware: FirmwareApproval;
  readonly #broker: BrokerClient;
  readonly #record: KeysRecord;
  readonly #firmware: ApprovedFirmwares;
  readonly #forgetLoss: Unsubscribe;
  readonly #listeners = new Set<(health: TpmHealth) => void>();
  #boxKey: Uint8Array;
  #health: TpmHealth = 'ready';

  constructor(opened: OpenedTpm, { boxKey, accountSeed, seeds }: Secrets) {
    const { broker, endpoint, eventLogFile, record, firmware } = opened;
    const { stored } = record;
    this.#broker = broker;
    this.#record = record;
    this.firmware = this.#firmware = firmware;
    this.identityPublicKey = parseSigningPoint(stored.identity.publicArea);
    const held = <Key extends Signer>(name: SeedName, keyOf: (seed: Uint8Array) => Key): HeldKeys<Key> =>
      openHeld({ broker, record, firmware }, name, seeds[name], keyOf);
    this.voting = held('voting', ed25519Signer);
    this.transaction = held('transaction', ed25519Signer);
    this.transport = held('transport', transportKey);
    this.attester = new TpmAttester(broker, stored, eventLogFile);
    const { rootName, firstStart } = stored;
    this.starts = {
      first: firstStart,
      value: () => broker.call('readCounter', { counter: 'starts', rootName }),
      advance: () =>
        broker.call('stepCounter', { counter: 'starts', authorizations: firmware.authorizations() }),
    };
    this.#boxKey = boxKey;
    this.accountSeed = accountSeed;
    this.#forgetLoss = endpoint.onLost(() => this.#become('absent'));
  }

  /** @throws AppError as BrokerClient.call. */
  async signWithIdentity(message: Uint8Array): Promise<Uint8Array> {
    const guarded = this.#firmware.guarded(this.#record.stored.identity);
    try {
      const signature = await this.#broker.call('sign', { ...guarded, digest: sha256(message) });
      // A key that is exempt from lock-out says nothing about it.
      if (this.#health !== 'locked-out') this.#become('ready');
      return withLowS(signature);
    } catch (failure) {
      if (failure instanceof AppError) this.#become(healthOf(failure));
      throw aboutFile(failure, this.#record.file);
    }
  }

  health(): TpmHealth {
    return this.#health;
  }

  onHealthChange(listener: (health: TpmHealth) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async probe(): Promise<TpmHealth> {
    try {
      this.#become(await this.#examine());
    } catch (failure) {
      if (!(failure instanceof AppError)) throw failure;
      this.#become(healthOf(failure));
    }
    return this.#health;
  }

  async stop(): Promise<void> {
    this.#forgetLoss();
    await this.#broker.close();
  }

  get boxKey(): Uint8Array {
    return this.#boxKey;
  }

  get isRenewing(): boolean {
    return isRenewing(this.#record.stored);
  }

  async renewBoxKey(rewrap: Rewrap): Promise<void> {
    const [broker, record, firmware] = [this.#broker, this.#record, this.#firmware];
    const modules = { broker, record, firmware, accountSeed: this.accountSeed };
    this.#boxKey = await renewBoxKey(modules, this.#boxKey, rewrap);
  }

  resetLockout(): Promise<void> {
    return this.#asOwner('resetLockout');
  }

  clear(): Promise<void> {
    return this.#asOwner('clear');
  }

  async #asOwner(operation: 'resetLockout' | 'clear'): Promise<void> {
    await this.#broker.call(operation, { authorizations: this.#firmware.authorizations() });
  }

  async #examine(): Promise<TpmHealth> {
    const { rootName } = this.#record.stored;
    const now = await this.#broker.call('rootName', null);
    if (now === undefined || !equalBytes(now, rootName)) return 'wrong-tpm';
    if ((await this.#firmware.changedRegisters()).length > 0) return 'policy-mismatch';
    await this.#firmware.finish();
    return (await this.#broker.call('lockedOut', null)) ? 'locked-out' : 'ready';
  }

  #become(health: TpmHealth): void {
    if (health === this.#health) return;
    this.#health = health;
    for (const listener of this.#listeners) listener(health);
  }
}

async function unsealAll(
  broker: BrokerClient,
  { boxKey, nextBoxKey, accountSeed, seeds }: StoredKeys,
  firmware: ApprovedFirmwares,
): Promise<Secrets> {
  const unseal = (blob: ObjectBlob): Promise<Uint8Array> => broker.call('unseal', firmware.guarded(blob));
  const unsealEach = async (blobs: readonly ObjectBlob[]): Promise<Uint8Array[]> => {
    const opened: Uint8Array[] = [];
    for (const blob of blobs) opened.push(await unseal(blob));
    return opened;
  };
  return {
    boxKey: await broker.call('unseal', firmware.guardedBoxKey(boxKey)),
    ...(nextBoxKey && { nextBoxKey: await broker.call('unseal', firmware.guardedBoxKey(nextBoxKey)) }),
    accountSeed: await unseal(accountSeed),
    seeds: {
      voting: await unsealEach(seeds.voting),
      transaction: await unsealEach(seeds.transaction),
      transport: await unsealEach(seeds.transport),
    },
  };
}

const transportKey = (seed: Uint8Array): TransportKey => ({ ...ed25519Signer(seed), seed });

/** A new key is unsealed before it is kept, as the first ones are. */
function openHeld<Key extends Signer>(
  { broker, record, firmware }: Pick<OpenedTpm, 'broker' | 'record' | 'firmware'>,
  name: SeedName,
  seeds: readonly Uint8Array[],
  keyOf: (seed: Uint8Array) => Key,
): HeldKeys<Key> {
  const opened = record.stored.seeds[name].map((blob, index) => ({
    blob,
    signer: keyOf(seeds[index] as Uint8Array),
  }));
  return new SealedKeys(opened, {
    seal: async () => {
      const blob = await sealSeed(broker, firmware.creation(), name);
      return { blob, signer: keyOf(await broker.call('unseal', firmware.guarded(blob))) };
    },
    write: (blobs) =>
      firmware.changeKeys((stored) => ({ ...stored, seeds: { ...stored.seeds, [name]: blobs } })),
    writeErased: (blobs) =>
      firmware.supersedeKeys((stored) => ({ ...stored, seeds: { ...stored.seeds, [name]: blobs } })),
  });
}

/** The keys that the file holds, opened by the TPM. @param isNew whether this process has just made them. */
async function openStored(
  broker: BrokerClient,
  endpoint: TpmEndpoint,
  record: KeysRecord,
  { institutionId, logger, eventLogFile = endpoint.eventLogFile }: DeviceKeysOptions,
  isNew: boolean,
): Promise<TpmDeviceKeys> {
  const { file, stored } = record;
  if (stored.institutionId !== institutionId) {
    throw new AppError(
      'CONFIG_INVALID',
      `${file} holds the keys of ${stored.institutionId}, not of ${institutionId}`,
    );
  }
  let opened: { readonly firmware: ApprovedFirmwares; readonly secrets: Secrets };
  try {
    const firmware = await ApprovedFirmwares.open(broker, record);
    opened = { firmware, secrets: await openSecrets(broker, record, firmware, !isNew) };
  } catch (failure) {
    throw aboutFile(failure, file);
  }
  const { firmware, secrets } = opened;
  if (isNew) await takeTpm(broker, firmware, record);
  await firmware.finish();
  // What a power cut left undone.
  await firmware.stepTo('erasures', record.stored.boxKey.erasuresMax);
  await firmware.stepTo('keysFiles', record.stored.generation);
  await writeRecoveryFile(file, record.stored, secrets);
  const keys = new TpmDeviceKeys({ broker, endpoint, eventLogFile, record, firmware }, secrets);
  if (await broker.call('lockedOut', null)) {
    logger.warn({}, 'the TPM was locked out after failed authorizations; the lock-out is ended');
    await keys.resetLockout();
  }
  return keys;
}

async function openSecrets(
  broker: BrokerClient,
  record: KeysRecord,
  firmware: ApprovedFirmwares,
  isTaken: boolean,
): Promise<Secrets> {
  try {
    await firmware.checkKeys(isTaken);
    return await unsealAll(broker, record.stored, firmware);
  } catch (failure) {
    if (!(failure instanceof AppError) || failure.code !== 'TPM_POLICY') throw failure;
    const changed = await firmware.changedRegisters();
    if (changed.length === 0) throw failure;
    const which = changed.map((register) => `PCR ${register}`).join(' and ');
    throw new AppError('TPM_POLICY', `${which} changed since ${record.file} was sealed`, { cause: failure });
  }
}

/**
 * The keys of this box: made at first use, unsealed at every later one.
 * @throws AppError TPM_ABSENT, TPM_LIBRARY_MISSING, TPM_SIMULATOR_MISSING, TPM_TIMEOUT, TPM_FAILED; TPM_WRONG (another
 * TPM sealed the file), TPM_OWNED (somebody else's TPM), TPM_POLICY (the firmware is not approved, or nothing was
 * measured); STORE_CORRUPT or STORE_FAILED naming the file; CONFIG_INVALID (the file belongs to another institution).
 */
export async function openDeviceKeys(options: DeviceKeysOptions): Promise<OpenDeviceKeys> {
  const { keysFile, logger } = options;
  const before = await readKeysFile(keysFile);
  const endpoint = 'endpoint' in options ? options.endpoint : fixedEndpoint(options.tcti);
  const broker = new BrokerClient({ ...options, endpoint, logger });
  try {
    const isUnfinished = before !== undefined && (await areUnfinished(before, keysFile));
    const isNew = before === undefined || isUnfinished;
    // A service manager starts an unfinished box again and again: its TPM's memory must not wear out by it.
    if (isNew) await options.onMaking?.();
    if (isUnfinished) await giveBack(broker, new KeysRecord(keysFile, before), logger);
    const record = new KeysRecord(keysFile, isNew ? await makeKeys(broker, options) : before);
    return await openStored(broker, endpoint, record, options, isNew);
  } catch (failure) {
    await broker.close();
    throw failure;
  }
}
