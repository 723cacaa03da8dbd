import { setTimeout as delay } from 'node:timers/promises';
import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import { EsysContext } from '../esys/context.ts';
import { esysHandle, type Arguments, type EsysFunction, type Results } from '../esys/functions.ts';
import { nvRatePauseMs } from '../limits.ts';
import { decodeResponse, TpmError } from '../response-code.ts';
import {
  algorithm,
  capability,
  handleRange,
  sessionAttribute,
  sessionType,
  startupType,
  storageRootHandle,
  type SessionType,
} from '../wire/constants.ts';
import { aes128Cfb, parseHandles, unsized, type ObjectBlob } from '../wire/structures.ts';

const { none, password } = esysHandle;

/** The three session arguments of a command that needs none. */
export const noSessions = [none, none, none] as const;

/** All attribute bits of a session are set, not some of them. */
const allAttributes = 0xff;

/** Handles asked for at once; TPMs have a handful of slots. */
const handlesPerQueryMax = 64;

export interface StorageRoot {
  readonly handle: number;
  readonly name: Uint8Array;
}

/** TPM_RC_NV_RATE (part 2, 6.6): the command was not executed. */
function isTooSoon(failure: unknown): boolean {
  return failure instanceof TpmError && decodeResponse(failure.code).name === 'TPM_RC_NV_RATE';
}

interface KeptKey {
  readonly handle: number;
  readonly privateArea: Uint8Array;
}

/**
 * An open TPM, as the operations use it. Each operation begins and ends without objects or sessions of its own in the
 * TPM, but for one key that may stay loaded for the next of its kind. The storage root key lies in its persistent memory (a chip needs up to a second to derive it). The caller runs one
 * operation at a time: a TPM without resource manager has three slots.
 */
export class Tpm {
  readonly #esys: EsysContext;
  readonly #indexes = new Map<number, number>();
  #root: StorageRoot | undefined;
  #kept: KeptKey | undefined;

  private constructor(esys: EsysContext) {
    this.#esys = esys;
  }

  /** @throws AppError TPM_LIBRARY_MISSING; TpmError if there is no TPM. */
  static async open(tcti: string): Promise<Tpm> {
    const tpm = new Tpm(await EsysContext.open(tcti));
    await tpm.#flushLeftovers();
    return tpm;
  }

  /** Shuts the TPM down in order (else each start counts as a power cut towards lock-out) and disconnects. */
  async close(): Promise<void> {
    await this.releaseKept();
    await this.call('Shutdown', ...noSessions, startupType.clear);
    await this.#esys.close();
  }

  /**
   * Asks again as long as the TPM spares its memory: an operation that ended between two writes would be a power cut of our
   * own making. Who asked for the operation ends this process when it takes too long.
   * @throws TpmError with the response code that is not success.
   */
  async call<Name extends EsysFunction>(name: Name, ...args: Arguments<Name>): Promise<Results<Name>> {
    for (;;) {
      try {
        return await this.#esys.call(name, ...args);
      } catch (failure) {
        if (!isTooSoon(failure)) {
          this.#indexes.clear();
          throw failure;
        }
      }
      await delay(nvRatePauseMs);
    }
  }

  /**
   * Name of the storage root key, asked anew each time: the TPM may have been cleared or exchanged since. Undefined if it
   * has none, as one that was never made a box's.
   */
  async rootName(): Promise<Uint8Array | undefined> {
    return (await this.#findRoot())?.name;
  }

  /**
   * The storage root key if it is the one that was pinned. Salting to whatever key the TPM shows would prove nothing:
   * a chip between us and the TPM could show its own. @throws AppError TPM_WRONG
   */
  async pinnedRoot(name: Uint8Array): Promise<StorageRoot> {
    const root = (this.#root ??= await this.#findRoot());
    if (!root || !equalBytes(root.name, name)) {
      throw new AppError('TPM_WRONG', 'the storage root key of the TPM is not the pinned one');
    }
    return root;
  }

  /** After TPM2_Clear: the key went with the storage seed, and the indexes with their owner. */
  forgetOwned(): void {
    this.#root = undefined;
    this.#indexes.clear();
  }

  /**
   * Handle of an index that is what it was, looked up at its first use: a chip is asked for nothing that it has told. Any
   * failure forgets all of them, and so does whoever defines one anew.
   */
  knownIndex(index: number): number | undefined {
    return this.#indexes.get(index);
  }

  keepIndex(index: number, handle: number): void {
    this.#indexes.set(index, handle);
  }

  forgetIndex(index: number): void {
    this.#indexes.delete(index);
  }

  /** Runs the body with the object loaded under the storage root key (part 3, 12.2). */
  async withLoaded<T>(
    root: StorageRoot,
    { privateArea, publicArea }: ObjectBlob,
    body: (object: number) => Promise<T>,
  ): Promise<T> {
    const [object] = await this.call('Load', root.handle, password, none, none, privateArea, publicArea);
    return this.flushing(object, () => body(object));
  }

  /**
   * The same for a key that signs again and again: it stays loaded until another operation needs its slot, which spares a
   * chip most of the work. Its policy is asked at each use all the same. Never for secrets, whose blobs are to be forgotten.
   */
  async withKept<T>(root: StorageRoot, blob: ObjectBlob, body: (object: number) => Promise<T>): Promise<T> {
    if (!this.#kept || !equalBytes(this.#kept.privateArea, blob.privateArea)) {
      await this.releaseKept();
      const { privateArea, publicArea } = blob;
      const [handle] = await this.call('Load', root.handle, password, none, none, privateArea, publicArea);
      this.#kept = { handle, privateArea };
    }
    const { handle } = this.#kept;
    try {
      return await body(handle);
    } catch (failure) {
      this.#kept = undefined;
      await this.#flushAfter(failure, handle);
      throw failure;
    }
  }

  /** Frees the slot of the key that was kept loaded. */
  async releaseKept(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept) await this.#flush(kept.handle);
  }

  /** A session salted to the storage root key: its HMACs and its encryption hold against a listener on the bus. */
  inSession<T>(
    root: StorageRoot,
    type: SessionType,
    attributes: number,
    body: (session: number) => Promise<T>,
  ): Promise<T> {
    return this.#inSession(root.handle, type, attributes, body);
  }

  /** The same for the caller to flush: one that lasts longer than one operation. */
  startSession(root: StorageRoot, type: SessionType, attributes: number): Promise<number> {
    return this.#startSession(root.handle, type, attributes);
  }

  /** A policy session without salt, for what is authorized by no secret. */
  inPlainPolicySession<T>(body: (session: number) => Promise<T>): Promise<T> {
    return this.#inSession(none, sessionType.policy, 0, body);
  }

  /** Runs the body and flushes the handle, whatever becomes of the body; both failures are told. */
  async flushing<T>(handle: number, body: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await body();
    } catch (failure) {
      await this.#flushAfter(failure, handle);
      throw failure;
    }
    await this.#flush(handle);
    return result;
  }

  /** Handles that the TPM has, from this one on and of its kind (part 3, 30.2). */
  async handles(from: number, countMax: number): Promise<number[]> {
    const [, data] = await this.call('GetCapability', ...noSessions, capability.handles, from, countMax);
    return parseHandles(data);
  }

  /**
   * What a killed broker left in the TPM. A resource manager shows each user only its own handles, so that nobody
   * else's are flushed; without one this process is the TPM's only user.
   */
  async #flushLeftovers(): Promise<void> {
    for (const range of [handleRange.transient, handleRange.loadedSession]) {
      for (const handle of await this.handles(range, handlesPerQueryMax)) {
        const [leftover] = await this.call('TR_FromTPMPublic', handle, ...noSessions);
        await this.#flush(leftover);
      }
    }
  }

  async #inSession<T>(
    salting: number,
    type: SessionType,
    attributes: number,
    body: (session: number) => Promise<T>,
  ): Promise<T> {
    const session = await this.#startSession(salting, type, attributes);
    return this.flushing(session, () => body(session));
  }

  async #startSession(salting: number, type: SessionType, attributes: number): Promise<number> {
    const [session] = await this.call(
      'StartAuthSession',
      salting,
      none,
      ...noSessions,
      null,
      type,
      aes128Cfb,
      algorithm.sha256,
    );
    await this.call(
      'TRSess_SetAttributes',
      session,
      attributes | sessionAttribute.continueSession,
      allAttributes,
    );
    return session;
  }

  async #flushAfter(failure: unknown, handle: number): Promise<void> {
    try {
      await this.#flush(handle);
    } catch (flushFailure) {
      // The first failure says why; the second that the TPM is gone, which the next call meets again.
      if (failure instanceof Error) failure.cause ??= flushFailure;
    }
  }

  async #flush(handle: number): Promise<void> {
    await this.call('FlushContext', handle);
  }

  async #findRoot(): Promise<StorageRoot | undefined> {
    if (!(await this.handles(storageRootHandle, 1)).includes(storageRootHandle)) return undefined;
    const [handle] = await this.call('TR_FromTPMPublic', storageRootHandle, ...noSessions);
    // ESYS computes the Name from the public area to which it salts; it does not take the TPM's word for it.
    const [name] = await this.call('TR_GetName', handle);
    return { handle, name: unsized(name) };
  }
}
