import { equalBytes } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError, type ErrorCode } from '../../src/errors.ts';
import type {
  Attester,
  DeviceKeys,
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
import type { SoftwareTpm } from '../simulator/software-tpm.ts';
import type { TimerSource } from '../timer.ts';
import { parseSigningPoint, type ObjectBlob } from '../wire/structures.ts';
import { TpmAttester } from './attester.ts';
import { ed25519Signer } from './ed25519-signer.ts';
import { SealedKeys } from './held-keys.ts';
import { readKeysFile, writeKeysFile, type SecretName, type SeedName, type StoredKeys } from './keys-file.ts';
import { KeysRecord } from './keys-record.ts';
import { withLowS } from './low-s.ts';
import { provision, sealSeed } from './provision.ts';

export type DeviceKeysOptions = {
  /** Path in the data folder; its folder must exist. Made at first use. */
  readonly keysFile: string;
  readonly institutionId: string;
  readonly logger: Logger;
  /** Bounds each operation; the system's timers unless told. */
  readonly clock?: TimerSource;
} & (
  | {
      /** Transport to a TPM that the machine has: `device:/dev/tpmrm0`. */
      readonly tcti: string;
    }
  | {
      /** Started if it does not run; stopped by its owner, after these keys. */
      readonly softwareTpm: SoftwareTpm;
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
}

interface Secrets {
  readonly sealed: Readonly<Record<SecretName, Uint8Array>>;
  /** In the order of the keys file. */
  readonly seeds: Readonly<Record<SeedName, readonly Uint8Array[]>>;
}

/** The same fault, told about the keys file. */
const messageForFile = new Map<ErrorCode, (file: string) => string>([
  ['TPM_WRONG', (file) => `the TPM is not the one that sealed ${file}`],
  ['STORE_CORRUPT', (file) => `the key blobs in ${file} were altered`],
]);

function aboutFile(failure: unknown, file: string): unknown {
  if (!(failure instanceof AppError)) return failure;
  const message = messageForFile.get(failure.code);
  return message ? new AppError(failure.code, message(file), { cause: failure }) : failure;
}

class TpmDeviceKeys implements OpenDeviceKeys {
  readonly identityPublicKey: Uint8Array;
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  readonly transaction: HeldKeys;
  readonly transport: HeldKeys<TransportKey>;
  readonly attester: Attester;
  readonly boxKey: Uint8Array;
  readonly accountSeed: Uint8Array;
  readonly #broker: BrokerClient;
  readonly #stored: StoredKeys;
  readonly #file: string;
  readonly #forgetLoss: Unsubscribe;
  readonly #listeners = new Set<(health: TpmHealth) => void>();
  #health: TpmHealth = 'ready';

  constructor(
    broker: BrokerClient,
    endpoint: TpmEndpoint,
    stored: StoredKeys,
    { sealed, seeds }: Secrets,
    file: string,
  ) {
    this.#broker = broker;
    this.#stored = stored;
    this.#file = file;
    this.identityPublicKey = parseSigningPoint(stored.identity.publicArea);
    const record = new KeysRecord(file, stored);
    this.voting = openHeld(broker, record, 'voting', seeds.voting, ed25519Signer);
    this.transaction = openHeld(broker, record, 'transaction', seeds.transaction, ed25519Signer);
    this.transport = openHeld(broker, record, 'transport', seeds.transport, transportKey);
    this.attester = new TpmAttester(broker, stored, endpoint.eventLogFile);
    const { rootName } = stored;
    this.starts = {
      value: () => broker.call('startCounter', { rootName, advance: false }),
      advance: () => broker.call('startCounter', { rootName, advance: true }),
    };
    this.boxKey = sealed.boxKey;
    this.accountSeed = sealed.accountSeed;
    this.#forgetLoss = endpoint.onLost(() => this.#become('absent'));
  }

  /** @throws AppError as BrokerClient.call. */
  async signWithIdentity(message: Uint8Array): Promise<Uint8Array> {
    const { rootName, policy, identity: blob } = this.#stored;
    try {
      const digest = sha256(message);
      const signature = await this.#broker.call('sign', {
        blob,
        rootName,
        registers: policy.registers,
        digest,
      });
      // A key that is exempt from lock-out says nothing about it.
      if (this.#health !== 'locked-out') this.#become('ready');
      return withLowS(signature);
    } catch (failure) {
      if (failure instanceof AppError) this.#become(healthOf(failure));
      throw aboutFile(failure, this.#file);
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

  async #examine(): Promise<TpmHealth> {
    const { rootName } = this.#stored;
    if (!equalBytes(await this.#broker.call('rootName', null), rootName)) return 'wrong-tpm';
    if ((await changedRegisters(this.#broker, this.#stored)).length > 0) return 'policy-mismatch';
    return (await this.#broker.call('lockedOut', null)) ? 'locked-out' : 'ready';
  }

  #become(health: TpmHealth): void {
    if (health === this.#health) return;
    this.#health = health;
    for (const listener of this.#listeners) listener(health);
  }
}

/** Registers that hold something else than when the keys were made. */
async function changedRegisters(broker: BrokerClient, { policy }: StoredKeys): Promise<number[]> {
  const { registers, values } = policy;
  const now = await broker.call('readPcrs', { registers });
  return registers.filter((_, index) => !equalBytes(now[index] as Uint8Array, values[index] as Uint8Array));
}

function unseal(
  broker: BrokerClient,
  { rootName, policy }: StoredKeys,
  blob: ObjectBlob,
): Promise<Uint8Array> {
  return broker.call('unseal', { blob, rootName, registers: policy.registers });
}

async function unsealAll(broker: BrokerClient, stored: StoredKeys): Promise<Secrets> {
  const { sealed, seeds } = stored;
  const unsealEach = async (blobs: readonly ObjectBlob[]): Promise<Uint8Array[]> => {
    const opened: Uint8Array[] = [];
    for (const blob of blobs) opened.push(await unseal(broker, stored, blob));
    return opened;
  };
  return {
    sealed: {
      boxKey: await unseal(broker, stored, sealed.boxKey),
      accountSeed: await unseal(broker, stored, sealed.accountSeed),
    },
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
  broker: BrokerClient,
  record: KeysRecord,
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
      const blob = await sealSeed(broker, record.stored, name);
      return { blob, signer: keyOf(await unseal(broker, record.stored, blob)) };
    },
    write: (blobs) => record.change((stored) => ({ ...stored, seeds: { ...stored.seeds, [name]: blobs } })),
  });
}

async function openStored(
  broker: BrokerClient,
  stored: StoredKeys,
  options: DeviceKeysOptions,
): Promise<Secrets> {
  const { keysFile, institutionId } = options;
  if (stored.institutionId !== institutionId) {
    throw new AppError(
      'CONFIG_INVALID',
      `${keysFile} holds the keys of ${stored.institutionId}, not of ${institutionId}`,
    );
  }
  try {
    return await unsealAll(broker, stored);
  } catch (failure) {
    if (failure instanceof AppError && failure.code === 'TPM_POLICY') {
      const changed = await changedRegisters(broker, stored);
      const which = changed.map((register) => `PCR ${register}`).join(' and ');
      throw new AppError('TPM_POLICY', `${which} changed since ${keysFile} was sealed`, { cause: failure });
    }
    throw aboutFile(failure, keysFile);
  }
}

/** What was made is unsealed before it is kept, so that a keys file on disk has opened once. */
async function makeNew(broker: BrokerClient, options: DeviceKeysOptions): Promise<[StoredKeys, Secrets]> {
  const stored = await provision(broker, options.institutionId);
  const secrets = await unsealAll(broker, stored);
  await writeKeysFile(options.keysFile, stored);
  options.logger.info({ keysFile: options.keysFile }, 'device keys made and sealed');
  return [stored, secrets];
}

/**
 * The keys of this box: made at first use, unsealed at every later one.
 * @throws AppError TPM_ABSENT, TPM_LIBRARY_MISSING, TPM_SIMULATOR_MISSING, TPM_TIMEOUT, TPM_FAILED; TPM_WRONG (another
 * TPM sealed the file), TPM_POLICY (the firmware changed, or nothing was measured), TPM_LOCKED_OUT; STORE_CORRUPT or
 * STORE_FAILED naming the file; CONFIG_INVALID (the file belongs to another institution).
 */
export async function openDeviceKeys(options: DeviceKeysOptions): Promise<OpenDeviceKeys> {
  const { keysFile, logger } = options;
  const stored = await readKeysFile(keysFile);
  const endpoint = 'softwareTpm' in options ? options.softwareTpm : fixedEndpoint(options.tcti);
  const broker = new BrokerClient({ ...options, endpoint, logger });
  try {
    if (stored) {
      const secrets = await openStored(broker, stored, options);
      return new TpmDeviceKeys(broker, endpoint, stored, secrets, keysFile);
    }
    return new TpmDeviceKeys(broker, endpoint, ...(await makeNew(broker, options)), keysFile);
  } catch (failure) {
    await broker.close();
    throw failure;
  }
}
