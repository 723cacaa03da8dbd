import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import type { FirmwareApproval, FirmwareStanding } from '../../src/ports.ts';
import type { BrokerClient } from '../broker/client.ts';
import type { Creation, Guarded } from '../broker/guarded.ts';
import type { ObjectBlob } from '../wire/structures.ts';
import {
  approvalContent,
  boundRegisters,
  devicePolicyDigest,
  deviceSteps,
  erasureStep,
  firmwareWith,
  sameRegisters,
  type Approval,
  type ApprovedFirmware,
} from './device-policy.ts';
import type { CounterName } from '../broker/operations/nv.ts';
import {
  authenticatedBytes,
  type StoredBoxKey,
  type StoredKeys,
  type UnauthenticatedKeys,
} from './keys-file.ts';
import type { KeysRecord } from './keys-record.ts';

/**
 * @param rootName of the TPM that has to have said so itself; without it the answer may have been exchanged on the bus.
 * @throws AppError TPM_POLICY for registers into which nothing was measured: any firmware would satisfy that policy.
 */
export async function measuredRegisters(broker: BrokerClient, rootName?: Uint8Array): Promise<Uint8Array[]> {
  const values = await broker.call('readPcrs', { registers: boundRegisters, ...(rootName && { rootName }) });
  boundRegisters.forEach((register, index) => {
    if (values[index]?.every((byte) => byte === 0)) {
      throw new AppError(
        'TPM_POLICY',
        `nothing was measured into PCR ${register}: refusing to bind keys to it`,
      );
    }
  });
  return values;
}

/** Beyond every firmware of these, and beyond what the counter holds: once it stands there, all of them are dead. */
export function countMaxAfter(count: number, approved: readonly ApprovedFirmware[]): number {
  return Math.max(count, ...approved.map(({ countMax }) => countMax)) + 1;
}

/** The object with what this firmware does to satisfy its policy. */
export function guardedBy(
  stored: Pick<StoredKeys, 'rootName' | 'rescue'>,
  running: ApprovedFirmware,
  approval: Approval,
  blob: ObjectBlob,
): Guarded {
  return { blob, rootName: stored.rootName, policy: deviceSteps(running, approval, stored.rescue) };
}

/**
 * Which firmware may open the keys. Keys file and TPM are two memories, and a power cut may come between them: the file
 * first says what is to be approved, then the TPM is told, then the file says that it was. What the TPM holds decides.
 */
export class ApprovedFirmwares implements FirmwareApproval {
  readonly #broker: BrokerClient;
  readonly #record: KeysRecord;
  /** Of the bound registers, when the keys were opened. */
  readonly #values: readonly Uint8Array[];
  #changes: Promise<unknown> = Promise.resolve();
  #steps: Promise<unknown> = Promise.resolve();

  private constructor(broker: BrokerClient, record: KeysRecord, values: readonly Uint8Array[]) {
    this.#broker = broker;
    this.#record = record;
    this.#values = values;
  }

  /**
   * Finds out which approval the TPM holds, and which firmware of it runs. Where none does, keys are asked for as if the
   * last one ran: the TPM refuses, and says so itself.
   * @throws AppError TPM_WRONG, TPM_POLICY (the keys file is older than the approval), STORE_FAILED.
   */
  static async open(broker: BrokerClient, record: KeysRecord): Promise<ApprovedFirmwares> {
    const { rootName } = record.stored;
    const now = await broker.call('rootName', null);
    if (now === undefined || !equalBytes(now, rootName)) {
      throw new AppError('TPM_WRONG', 'the storage root key of the TPM is not the pinned one');
    }
    await settle(broker, record);
    const values = await broker.call('readPcrs', { registers: boundRegisters });
    return new ApprovedFirmwares(broker, record, values);
  }

  get #running(): ApprovedFirmware {
    const { approval } = this.#record.stored;
    return firmwareWith(approval, this.#values) ?? approval[1] ?? approval[0];
  }

  guarded(blob: ObjectBlob): Guarded {
    const { stored } = this.#record;
    return guardedBy(stored, this.#running, stored.approval, blob);
  }

  guardedBoxKey({ blob, erasuresMax }: StoredBoxKey): Guarded {
    const guarded = this.guarded(blob);
    return { ...guarded, policy: [...guarded.policy, erasureStep(erasuresMax)] };
  }

  creation(): Creation {
    const { rootName, rescue } = this.#record.stored;
    return { rootName, policy: devicePolicyDigest(rescue) };
  }

  /** The sealed authorizations of owner and lock-out. */
  authorizations(): Guarded {
    return this.guarded(this.#record.stored.authorizations);
  }

  /** Changes the keys file, under a new MAC. On disk when it resolves. @throws AppError of the TPM, STORE_FAILED. */
  changeKeys(alter: (stored: StoredKeys) => UnauthenticatedKeys): Promise<void> {
    return this.#record.change(alter, (message) =>
      this.#broker.call('authenticate', { authorizations: this.authorizations(), message }),
    );
  }

  /** The same, and no older copy of the keys file counts from then on. */
  async supersedeKeys(alter: (stored: StoredKeys) => UnauthenticatedKeys): Promise<void> {
    await this.changeKeys((stored) => ({ ...alter(stored), generation: stored.generation + 1 }));
    await this.stepTo('keysFiles', this.#record.stored.generation);
  }

  /**
   * @param isTaken whether this box has to be the owner of the TPM. Never by what the TPM says of itself: the answer could
   * be exchanged on the bus.
   * @throws AppError STORE_CORRUPT: somebody else wrote the keys file; TPM_POLICY: it is an old one.
   */
  async checkKeys(isTaken: boolean): Promise<void> {
    const { stored, file } = this.#record;
    const { mac, rootName, generation } = stored;
    const authorizations = this.authorizations();
    const message = authenticatedBytes(stored);
    await this.#broker.call('checkAuthentic', { authorizations, message, mac, isTaken });
    const count = await this.#broker.call('readCounter', { counter: 'keysFiles', rootName });
    if (generation < count)
      throw new AppError('TPM_POLICY', `${file} holds keys that were erased: it is of another time`);
  }

  /** Steps the counter up to this value: what is bound to a lower one is dead. One after the other, lest it go beyond. */
  stepTo(counter: CounterName, value: number): Promise<void> {
    const { rootName } = this.#record.stored;
    const done = this.#steps.then(async () => {
      let count = await this.#broker.call('readCounter', { counter, rootName });
      while (count < value) {
        const authorizations = this.authorizations();
        count = await this.#broker.call('stepCounter', { counter, authorizations });
      }
    });
    // A step that failed is its caller's to hear of; the next one begins from what the counter holds.
    this.#steps = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Registers that hold something else than the firmware that is taken for the running one. */
  async changedRegisters(): Promise<number[]> {
    const now = await this.#broker.call('readPcrs', { registers: boundRegisters });
    const { values } = this.#running;
    return boundRegisters.filter(
      (_, index) => !equalBytes(now[index] as Uint8Array, values[index] as Uint8Array),
    );
  }

  standing(): FirmwareStanding {
    const { approval } = this.#record.stored;
    if (approval.length === 1) return 'alone';
    return this.#running === approval[0] ? 'update-waits' : 'on-trial';
  }

  approveNext(values: readonly Uint8Array[]): Promise<void> {
    return this.#change(async () => {
      if (values.length !== boundRegisters.length || values.some((value) => value.length !== 32))
        throw new RangeError('the next firmware has one value of 32 bytes for each bound register');
      if (values.some((value) => value.every((byte) => byte === 0)))
        throw new AppError(
          'TPM_POLICY',
          'a firmware into whose registers nothing is measured is not approved',
        );
      if (sameRegisters(values, this.#running.values)) return;
      const { rootName } = this.#record.stored;
      const count = await this.#broker.call('readCounter', { counter: 'firmware', rootName });
      const countMax = countMaxAfter(count, this.#record.stored.approval);
      await this.#approve([this.#running, { values, countMax }]);
    });
  }

  confirm(): Promise<void> {
    return this.#change(async () => {
      await this.#approveAlone();
      await this.#retire();
    });
  }

  /** What a power cut, or a TPM that was lost meanwhile, left undone. */
  finish(): Promise<void> {
    return this.#change(() => this.#retire());
  }

  async #approve(approval: Approval): Promise<void> {
    await this.#record.changeApproval((stored) => ({ approval: stored.approval, approving: approval }));
    await this.#broker.call('writeApproval', {
      content: approvalContent(approval),
      authorizations: this.authorizations(),
    });
    await this.#record.changeApproval(() => ({ approval }));
  }

  /** Drops the other one; where that one would outlive this one by its counter, this one goes beyond it. */
  async #approveAlone(): Promise<void> {
    const { approval } = this.#record.stored;
    if (approval.length === 1) return;
    const running = this.#running;
    const others = approval.filter((firmware) => firmware !== running);
    const isLast = others.every(({ countMax }) => countMax < running.countMax);
    const countMax = isLast ? running.countMax : countMaxAfter(running.countMax, others);
    await this.#approve([{ values: running.values, countMax }]);
  }

  /** A firmware that alone is approved retires all before it, also should the index ever hold their approval again. */
  async #retire(): Promise<void> {
    if (this.#record.stored.approval.length > 1) return;
    await this.stepTo('firmware', this.#running.countMax);
  }

  #change(run: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(async () => {
      if (this.#record.stored.approving !== undefined) await settle(this.#broker, this.#record);
      await run();
    });
    // A change that failed is its caller's to hear of; the next one begins from what TPM and file hold.
    this.#changes = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

/** Brings the keys file to what the TPM holds, after a power cut between the two. */
async function settle(broker: BrokerClient, record: KeysRecord): Promise<void> {
  const held = await heldApproval(broker, record.stored);
  if (held === undefined) {
    throw new AppError(
      'TPM_POLICY',
      `${record.file} does not say what the TPM approves: it is of another time`,
    );
  }
  if (record.stored.approving !== undefined) await record.changeApproval(() => ({ approval: held }));
}

/** Which approval of the keys file the TPM holds; undefined if none of them. */
export async function heldApproval(
  broker: BrokerClient,
  { approval, approving, rootName }: StoredKeys,
): Promise<Approval | undefined> {
  const content = await broker.call('readApproval', { rootName });
  const holds = (candidate: Approval): boolean =>
    content !== undefined && equalBytes(approvalContent(candidate), content);
  return [approval, approving].find((candidate) => candidate !== undefined && holds(candidate));
}
