import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import { EsysContext } from '../esys/context.ts';
import { esysHandle } from '../esys/functions.ts';
import { randomBytesPerCallMax, sealedBytesMax } from '../limits.ts';
import { kindOf, TpmError } from '../response-code.ts';
import {
  algorithm,
  capability,
  counterBytes,
  handleRange,
  permanentAttribute,
  property,
  sessionAttribute,
  sessionType,
  startCounterIndex,
  startupType,
} from '../wire/constants.ts';
import {
  aes128Cfb,
  ecdsaSha256,
  nameOf,
  noHashCheck,
  parseDigestList,
  parseEcdsaSignature,
  parseHandles,
  parseProperties,
  pcrSelection,
  sensitiveCreate,
  sized,
  unsized,
  type ObjectBlob,
} from '../wire/structures.ts';
import { counterTemplate, identityTemplate, sealedTemplate, storageRootTemplate } from '../wire/templates.ts';
import type { Creation, Guarded } from './operations.ts';

const { none, password, owner } = esysHandle;
const noSessions = [none, none, none] as const;
const noOutsideInfo = sized(new Uint8Array(0));
const noDigest = sized(new Uint8Array(0));
const noAuthorization = sized(new Uint8Array(0));
const noCreationPcrs = pcrSelection([]);

/** All attribute bits of a session are set, not some of them. */
const allAttributes = 0xff;

/** TPM2_PCR_Read returns at most eight values at a time. */
const registersPerReadMax = 8;

/** Handles asked for at once; TPMs have a handful of slots. */
const handlesPerQueryMax = 64;

interface StorageRoot {
  readonly handle: number;
  readonly name: Uint8Array;
}

/**
 * The TPM as Hilum uses it. Each method begins and ends without objects or sessions of its own in the TPM, except the
 * storage root key, which stays loaded (a chip needs up to a second to derive it again). The caller runs one method at
 * a time: a TPM without resource manager has three slots.
 */
export class Tpm {
  readonly #esys: EsysContext;
  #root: StorageRoot | undefined;

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
    if (this.#root) await this.#flush(this.#root.handle);
    await this.#esys.call('Shutdown', ...noSessions, startupType.clear);
    await this.#esys.close();
  }

  /** Derived anew each time: the TPM may have been cleared or exchanged since. */
  async rootName(): Promise<Uint8Array> {
    const { handle, name } = await this.#deriveRoot();
    await this.#flush(handle);
    return name;
  }

  async readPcrs(registers: readonly number[]): Promise<Uint8Array[]> {
    const values: Uint8Array[] = [];
    for (let from = 0; from < registers.length; from += registersPerReadMax) {
      const selection = pcrSelection(registers.slice(from, from + registersPerReadMax));
      const [, , digests] = await this.#esys.call('PCR_Read', ...noSessions, selection);
      values.push(...parseDigestList(digests));
    }
    if (values.length !== registers.length) {
      throw new AppError('TPM_FAILED', `the TPM has no SHA-256 bank with PCRs ${registers.join(', ')}`);
    }
    return values;
  }

  async random(rootName: Uint8Array, length: number): Promise<Uint8Array> {
    const root = await this.#pinnedRoot(rootName);
    const random = new Uint8Array(length);
    await this.#inSession(root, sessionType.hmac, sessionAttribute.encrypt, async (session) => {
      let filled = 0;
      while (filled < length) {
        const wanted = Math.min(length - filled, randomBytesPerCallMax);
        // A TPM may give fewer bytes than asked for (part 3, 16.1).
        const [given] = await this.#esys.call('GetRandom', session, none, none, wanted);
        const bytes = unsized(given);
        if (bytes.length === 0)
          throw new AppError('TPM_FAILED', 'the random generator of the TPM gives nothing');
        random.set(bytes, filled);
        filled += bytes.length;
      }
    });
    return random;
  }

  createIdentity({ rootName, policy }: Creation): Promise<ObjectBlob> {
    return this.#create(rootName, identityTemplate(policy), sensitiveCreate());
  }

  seal({ rootName, policy }: Creation, secret: Uint8Array): Promise<ObjectBlob> {
    if (secret.length > sealedBytesMax) throw new RangeError(`a TPM seals ${sealedBytesMax} bytes at most`);
    return this.#create(rootName, sealedTemplate(policy), sensitiveCreate(secret));
  }

  unseal(guarded: Guarded): Promise<Uint8Array> {
    return this.#using(guarded, sessionAttribute.encrypt, async (object, session) => {
      const [secret] = await this.#esys.call('Unseal', object, session, none, none);
      return unsized(secret);
    });
  }

  sign(guarded: Guarded, digest: Uint8Array): Promise<Uint8Array> {
    return this.#using(guarded, 0, async (key, session) => {
      const [signature] = await this.#esys.call(
        'Sign',
        key,
        session,
        none,
        none,
        sized(digest),
        ecdsaSha256,
        noHashCheck,
      );
      return parseEcdsaSignature(signature);
    });
  }

  /**
   * Value of the counter of starts, after one more step if told to. Made at first use, and then stepped once: it has no
   * value before. @throws TpmError
   */
  async startCounter(rootName: Uint8Array, advance: boolean): Promise<number> {
    const root = await this.#pinnedRoot(rootName);
    return this.#inSession(root, sessionType.hmac, 0, async (session) => {
      const index = await this.#counterIndex(session);
      if (advance || !(await this.#hasValue(index, session)))
        await this.#esys.call('NV_Increment', owner, index, session, none, none);
      return this.#readCounter(index, session);
    });
  }

  async #counterIndex(session: number): Promise<number> {
    const [, data] = await this.#esys.call(
      'GetCapability',
      ...noSessions,
      capability.handles,
      startCounterIndex,
      1,
    );
    const [index] = parseHandles(data).includes(startCounterIndex)
      ? await this.#esys.call('TR_FromTPMPublic', startCounterIndex, ...noSessions)
      : await this.#esys.call(
          'NV_DefineSpace',
          owner,
          session,
          none,
          none,
          noAuthorization,
          counterTemplate(startCounterIndex),
        );
    return index;
  }

  async #hasValue(index: number, session: number): Promise<boolean> {
    try {
      await this.#readCounter(index, session);
      return true;
    } catch (failure) {
      if (failure instanceof TpmError && kindOf(failure.code) === 'no-value') return false;
      throw failure;
    }
  }

  async #readCounter(index: number, session: number): Promise<number> {
    const [data] = await this.#esys.call('NV_Read', owner, index, session, none, none, counterBytes, 0);
    const value = unsized(data);
    return Number(new DataView(value.buffer, value.byteOffset, value.length).getBigUint64(0));
  }

  async lockedOut(): Promise<boolean> {
    const [, data] = await this.#esys.call(
      'GetCapability',
      ...noSessions,
      capability.tpmProperties,
      property.permanent,
      1,
    );
    const permanent = parseProperties(data).get(property.permanent);
    if (permanent === undefined) throw new AppError('TPM_FAILED', 'the TPM does not tell its state');
    return (permanent & permanentAttribute.inLockout) !== 0;
  }

  /**
   * What a killed broker left in the TPM. A resource manager shows each user only its own handles, so that nobody
   * else's are flushed; without one this process is the TPM's only user.
   */
  async #flushLeftovers(): Promise<void> {
    for (const range of [handleRange.transient, handleRange.loadedSession]) {
      const [, data] = await this.#esys.call(
        'GetCapability',
        ...noSessions,
        capability.handles,
        range,
        handlesPerQueryMax,
      );
      for (const handle of parseHandles(data)) {
        const [leftover] = await this.#esys.call('TR_FromTPMPublic', handle, ...noSessions);
        await this.#flush(leftover);
      }
    }
  }

  async #flush(handle: number): Promise<void> {
    await this.#esys.call('FlushContext', handle);
  }

  /** Runs the body and flushes the handle, whatever becomes of the body; both failures are told. */
  async #flushing<T>(handle: number, body: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await body();
    } catch (failure) {
      try {
        await this.#flush(handle);
      } catch (flushFailure) {
        // The first failure says why; the second that the TPM is gone, which the next call meets again.
        if (failure instanceof Error) failure.cause ??= flushFailure;
      }
      throw failure;
    }
    await this.#flush(handle);
    return result;
  }

  async #deriveRoot(): Promise<StorageRoot> {
    const [handle, publicArea] = await this.#esys.call(
      'CreatePrimary',
      owner,
      password,
      none,
      none,
      sensitiveCreate(),
      storageRootTemplate(),
      noOutsideInfo,
      noCreationPcrs,
    );
    return { handle, name: nameOf(publicArea) };
  }

  /**
   * The storage root key if it is the one that was pinned. Salting to whatever key the TPM shows would prove nothing:
   * a chip between us and the TPM could show its own.
   */
  async #pinnedRoot(name: Uint8Array): Promise<StorageRoot> {
    const root = (this.#root ??= await this.#deriveRoot());
    if (!equalBytes(root.name, name)) {
      throw new AppError('TPM_WRONG', 'the storage root key of the TPM is not the pinned one');
    }
    return root;
  }

  /** A session salted to the storage root key: its HMACs and its encryption hold against a listener on the bus. */
  async #inSession<T>(
    root: StorageRoot,
    type: number,
    attributes: number,
    body: (session: number) => Promise<T>,
  ): Promise<T> {
    const [session] = await this.#esys.call(
      'StartAuthSession',
      root.handle,
      none,
      ...noSessions,
      null,
      type,
      aes128Cfb,
      algorithm.sha256,
    );
    return this.#flushing(session, async () => {
      await this.#esys.call(
        'TRSess_SetAttributes',
        session,
        attributes | sessionAttribute.continueSession,
        allAttributes,
      );
      return body(session);
    });
  }

  async #create(rootName: Uint8Array, template: Uint8Array, sensitive: Uint8Array): Promise<ObjectBlob> {
    const root = await this.#pinnedRoot(rootName);
    return this.#inSession(root, sessionType.hmac, sessionAttribute.decrypt, async (session) => {
      const [privateArea, publicArea] = await this.#esys.call(
        'Create',
        root.handle,
        session,
        none,
        none,
        sensitive,
        template,
        noOutsideInfo,
        noCreationPcrs,
      );
      return { publicArea, privateArea };
    });
  }

  /** Loads the object and satisfies its PCR policy in a salted session. */
  async #using<T>(
    { blob, rootName, registers }: Guarded,
    attributes: number,
    body: (object: number, session: number) => Promise<T>,
  ): Promise<T> {
    const root = await this.#pinnedRoot(rootName);
    const [object] = await this.#esys.call(
      'Load',
      root.handle,
      password,
      none,
      none,
      blob.privateArea,
      blob.publicArea,
    );
    return this.#flushing(object, () =>
      this.#inSession(root, sessionType.policy, attributes, async (session) => {
        await this.#esys.call('PolicyPCR', session, ...noSessions, noDigest, pcrSelection(registers));
        return body(object, session);
      }),
    );
  }
}
