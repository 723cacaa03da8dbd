/**
 * The salted commitment to a study (PROTOCOL.md, "Commitment to a study"):
 * top = HMAC(salt, "top"); x_j = HMAC(salt, "inst" ‖ u32 j); leaf = HMAC(x_j, 0x00 ‖ u64 n ‖ chunk), chunks of 1 MiB;
 * I_j = H("inst", x_j ‖ u64 length ‖ MTH(leaves)); C = H("study", top ‖ u32 count ‖ u64 bytes ‖ MTH(I_0 …)).
 * HMAC is HMAC-SHA-256. Without the salt nothing about an instance can be tested against C, and x_j opens j alone.
 *
 * The data path computes leaves with node:crypto while the bytes pass; here they are taken as given.
 */
import { concatBytes, toHex, u32, u64, u8, utf8 } from '../encoding/bytes.ts';
import { hash, hmacSha256 } from '../encoding/hash.ts';
import { merkleRoot } from '../encoding/merkle-tree.ts';
import { chunkBytes, studyBytesMax, studyInstancesMax } from './limits.ts';

export const saltBytes = 32;

function assertSalt(salt: Uint8Array): void {
  if (salt.length !== saltBytes) throw new RangeError(`a salt has ${saltBytes} bytes`);
}

/** top */
export function studyTop(salt: Uint8Array): Uint8Array {
  assertSalt(salt);
  return hmacSha256(salt, utf8('top'));
}

/** x_j. Numbers are given once and never again, but may be left out (an object that was aborted). */
export function instanceKey(salt: Uint8Array, j: number): Uint8Array {
  assertSalt(salt);
  return hmacSha256(salt, concatBytes(utf8('inst'), u32(j)));
}

/** 0x00 ‖ u64 n: what stands before the chunk in its leaf's HMAC. */
export function leafMessagePrefix(n: number): Uint8Array {
  return concatBytes(u8(0), u64(n));
}

/** The leaf of chunk n, for those who have no faster HMAC. */
export function chunkLeaf(key: Uint8Array, n: number, chunk: Uint8Array): Uint8Array {
  return hmacSha256(key, concatBytes(leafMessagePrefix(n), chunk));
}

/** One instance as it is committed to. */
export interface CommittedInstance {
  /** x_j */
  readonly key: Uint8Array;
  /** Bytes of the whole instance, its canonical prefix included. */
  readonly length: number;
  /** Leaves of its chunks in order, 32 bytes each, joined. */
  readonly leaves: Uint8Array;
}

/** Number of chunks of an instance of this length. */
export function chunkCount(length: number): number {
  return Math.ceil(length / chunkBytes);
}

/** Bytes of chunk n of an instance of this length: `chunkBytes` for all but the last. */
export function chunkLength(length: number, n: number): number {
  return Math.min(chunkBytes, length - n * chunkBytes);
}

function leavesOf(instance: CommittedInstance): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < instance.leaves.length; at += 32) leaves.push(instance.leaves.subarray(at, at + 32));
  return leaves;
}

/** I_j. @throws RangeError if the number of leaves is not that of the length's chunks. */
export function instanceHash(instance: CommittedInstance): Uint8Array {
  const { key, length, leaves } = instance;
  if (key.length !== 32) throw new RangeError('an instance key has 32 bytes');
  if (!Number.isSafeInteger(length) || length < 1 || length > studyBytesMax) {
    throw new RangeError('instance length out of range');
  }
  if (leaves.length !== 32 * chunkCount(length))
    throw new RangeError('leaves do not match the instance length');
  return hash('inst', key, u64(length), merkleRoot(leavesOf(instance)));
}

/** A study's commitment as its instances are added, in the order in which they are committed to. */
export class StudyCommitment {
  readonly #top: Uint8Array;
  readonly #instances: CommittedInstance[] = [];
  readonly #hashes: Uint8Array[] = [];
  readonly #keys = new Set<string>();
  #bytes = 0;

  /** `top` as `studyTop(salt)` or a manifest gives it. */
  constructor(top: Uint8Array) {
    if (top.length !== 32) throw new RangeError('top has 32 bytes');
    this.#top = top;
  }

  /** @throws RangeError for an instance that is malformed or there already, or beyond the limits of a study. */
  add(instance: CommittedInstance): void {
    const key = toHex(instance.key);
    if (this.#keys.has(key)) throw new RangeError('instance committed to twice');
    if (this.#instances.length >= studyInstancesMax) throw new RangeError('study has too many instances');
    if (this.#bytes + instance.length > studyBytesMax) throw new RangeError('study has too many bytes');
    const instanceHashed = instanceHash(instance);
    this.#keys.add(key);
    this.#instances.push(instance);
    this.#hashes.push(instanceHashed);
    this.#bytes += instance.length;
  }

  get top(): Uint8Array {
    return this.#top;
  }

  get instances(): readonly CommittedInstance[] {
    return this.#instances;
  }

  /** Sum of the instances' lengths. */
  get bytes(): number {
    return this.#bytes;
  }

  /** C of the instances added so far. */
  commitment(): Uint8Array {
    return hash('study', this.#top, u32(this.#instances.length), u64(this.#bytes), merkleRoot(this.#hashes));
  }
}

/**
 * True if a chunk that arrived is chunk n of the instance: right length, and its leaf (HMAC computed by the caller
 * over `leafMessagePrefix(n)` and the chunk) is the one that was committed to. Nothing of a chunk is used before that.
 */
export function acceptsChunk(
  instance: CommittedInstance,
  n: number,
  bytes: number,
  leaf: Uint8Array,
): boolean {
  if (!Number.isInteger(n) || n < 0 || n >= chunkCount(instance.length)) return false;
  if (bytes !== chunkLength(instance.length, n) || leaf.length !== 32) return false;
  for (let i = 0; i < 32; i++) if (leaf[i] !== instance.leaves[32 * n + i]) return false;
  return true;
}
