/**
 * What an object shows, apart from what is written about it: a digest over its pixel data, so that a corrected header
 * is told from another image. Read as a stream in bounded memory; only where two objects claim one UID.
 */
import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { u32, u64 } from '../src/encoding/bytes.ts';
import type { PixelDigest } from '../src/ports.ts';
import { DataSetReader, type DataSetToken } from './data-set-reader.ts';
import { dataSetSyntax } from './data-set-syntax.ts';
import { inflatedObjectBytesMax, objectElementsMax } from './limits.ts';

/**
 * Top-level elements that are shown or played (PS3.3 C.7.6.3, C.7.6.24, C.8.14, C.10.9, C.24.2): Pixel Data and its
 * floating-point forms, Spectroscopy Data, Waveform Sequence, Encapsulated Document. An object with none of them (a
 * report, a presentation state) shows nothing but its attributes.
 */
const shownTags: ReadonlySet<number> = new Set([
  0x7fe00010, 0x7fe00008, 0x7fe00009, 0x56000020, 0x54000100, 0x00420011,
]);

/**
 * Equal digests of two data sets in one transfer syntax: the same bytes are shown. A data set that cannot be read to
 * its end is no fault but an answer. Rejects only as `data` does.
 */
export async function digestPixels(
  data: AsyncIterable<Uint8Array>,
  transferSyntaxUid: string,
): Promise<PixelDigest> {
  const syntax = dataSetSyntax(transferSyntaxUid);
  const scan = new PixelScan(new DataSetReader(syntax, objectElementsMax));
  if (!syntax.deflated) {
    for await (const chunk of data) if (!scan.push(chunk)) break;
    return scan.end();
  }
  const enough = new Error('nothing more needs to be read');
  try {
    await pipeline(Readable.from(data, { objectMode: true }), createInflateRaw(), async (inflated) => {
      let bytes = 0;
      for await (const chunk of inflated as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        if (bytes > inflatedObjectBytesMax)
          scan.fail(`it inflates to more than ${inflatedObjectBytesMax} bytes`);
        if (!scan.push(chunk)) throw enough;
      }
    });
  } catch (error) {
    if (error !== enough && !isInflateError(error)) throw error;
    scan.fail('it cannot be inflated');
  }
  return scan.end();
}

/** zlib's own errors (Z_DATA_ERROR, Z_BUF_ERROR) are about the data; every other one is a fault. */
function isInflateError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true;
}

class PixelScan {
  readonly #reader: DataSetReader;
  readonly #hash: Hash = createHash('sha256');
  #shown = false;
  #valueBytes = 0;
  #unreadable: string | undefined;

  constructor(reader: DataSetReader) {
    this.#reader = reader;
  }

  /** False when nothing more needs to be read. */
  push(chunk: Uint8Array): boolean {
    if (this.#unreadable !== undefined) return false;
    this.#reader.push(chunk);
    for (let token = this.#reader.next(); token !== undefined; token = this.#reader.next()) {
      this.#take(token);
      if (this.#unreadable !== undefined) return false;
    }
    return true;
  }

  fail(reason: string): void {
    this.#unreadable ??= reason;
  }

  end(): PixelDigest {
    if (!this.#reader.betweenElements) this.fail('it ends within an element');
    return this.#unreadable === undefined
      ? { kind: 'digest', digest: this.#hash.digest() }
      : { kind: 'unreadable', reason: this.#unreadable };
  }

  #take(token: DataSetToken): void {
    switch (token.kind) {
      case 'malformed':
        this.fail(token.reason);
        return;
      case 'element':
        this.#shown = shownTags.has(token.tag);
        this.#valueBytes = 0;
        if (this.#shown) this.#hash.update(u32(token.tag));
        return;
      case 'value':
        if (!this.#shown) return;
        this.#hash.update(token.bytes);
        this.#valueBytes += token.bytes.length;
        // After the value, since a value of undefined length says its length at its end only.
        if (token.last) this.#hash.update(u64(this.#valueBytes));
    }
  }
}
