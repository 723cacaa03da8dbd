/**
 * Seals one object as its bytes arrive. Up to one segment is held in memory, to be written into the study's log beside
 * its record; a larger object goes to a file of its own, with at most two segments in memory.
 */
import type { FileSystem } from './file-system.ts';
import type { Leftovers } from './leftovers.ts';
import { segmentBytes } from './limits.ts';
import { ObjectFile } from './object-file.ts';
import type { ObjectKey } from './object-seal.ts';
import type { OpenSegment, OpenSegmentOf, SealedSegment } from './segment-sealing.ts';
import { leafBytes, type SegmentKeys } from './segment-work.ts';

export interface SealingWriterOptions {
  readonly files: FileSystem;
  readonly leftovers: Leftovers;
  /** Where its file will be, if it gets one. */
  readonly path: string;
  readonly key: ObjectKey;
  /** Under each of them its leaves are computed (PROTOCOL.md, "Commitment to a study"). */
  readonly leafKeys: readonly Uint8Array[];
  readonly openSegment: OpenSegmentOf;
}

/** An object that is sealed: on disk in its file, or all of it in memory. */
export interface Sealed {
  readonly length: number;
  readonly lastTag: Uint8Array;
  /** Under each of the keys, those of all chunks in order. */
  readonly leaves: readonly Uint8Array[];
  /** Header, segment and tag; undefined if it is in a file. */
  readonly pieces: readonly Uint8Array[] | undefined;
  /** Nobody uses the pieces any more. Called once. */
  readonly release: () => void;
}

export class SealingWriter {
  readonly #options: SealingWriterOptions;
  readonly #keys: SegmentKeys;
  #segment: OpenSegment;
  /** Segments that are complete. */
  #segments = 0;
  /** Bytes in the segment. */
  #filled = 0;
  #length = 0;
  /** Of each segment, as soon as it is sealed. */
  readonly #leaves: Uint8Array[] = [];
  #file: ObjectFile | undefined;

  constructor(options: SealingWriterOptions) {
    this.#options = options;
    this.#keys = { seal: options.key.key, leaves: options.leafKeys };
    this.#segment = options.openSegment(this.#keys, 0);
  }

  /** A promise holds back the sender until the disk has taken what came before. @throws AppError STORE_FAILED. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (let at = 0; at < bytes.length;) {
      // What fits into one segment needs no file: it is known only when more comes.
      if (this.#filled === segmentBytes) pending = this.#toFile();
      const piece = bytes.subarray(at, at + segmentBytes - this.#filled);
      this.#segment.write(piece);
      this.#filled += piece.length;
      at += piece.length;
    }
    this.#length += bytes.length;
    return pending;
  }

  /** On disk under its final name (fsync of file and folder) if it has a file. @throws AppError STORE_FAILED. */
  async finish(): Promise<Sealed> {
    try {
      const last = await this.#endSegment();
      await this.#file?.finish(last);
      return this.#sealed(last);
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.#segment.abort();
    await this.#file?.remove();
  }

  #sealed({ pieces, tag, release }: SealedSegment): Sealed {
    const sealed = { length: this.#length, lastTag: tag, leaves: this.#joinedLeaves() };
    if (this.#file !== undefined) return { ...sealed, pieces: undefined, release: () => undefined };
    return { ...sealed, pieces: [this.#options.key.header, ...pieces], release };
  }

  #joinedLeaves(): readonly Uint8Array[] {
    return this.#options.leafKeys.map((_, key) => {
      const joined = new Uint8Array(leafBytes * this.#leaves.length);
      for (const [index, leaves] of this.#leaves.entries())
        joined.set(leaves.subarray(leafBytes * key, leafBytes * (key + 1)), leafBytes * index);
      return joined;
    });
  }

  /** The segment, which is full, goes to the disk. */
  #toFile(): Promise<void> {
    const { files, leftovers, path, key, openSegment } = this.#options;
    this.#file ??= new ObjectFile(files, leftovers, path, key.header);
    const pending = this.#file.write(this.#endSegment());
    this.#filled = 0;
    this.#segment = openSegment(this.#keys, this.#segments);
    return pending;
  }

  async #endSegment(): Promise<SealedSegment> {
    const index = this.#segments;
    this.#segments += 1;
    const sealed = await this.#segment.end();
    this.#leaves[index] = sealed.leaves;
    return sealed;
  }
}
