/**
 * A data set as the tests of reception and release send it: its attributes as one line of JSON, then whatever bytes.
 * Real ones are the DICOM room's matter, whose scanner comes through the same port.
 */
import { createHash } from 'node:crypto';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type {
  DataSetHeader,
  DigestPixels,
  HeaderScan,
  HeaderScanner,
  OpenHeaderScanner,
} from '../../firmware/src/ports.ts';

const lineFeed = 0x0a;

export function plainDataSet(attributes: DataSetHeader, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  return concatBytes(utf8(`${JSON.stringify(attributes)}\n`), body);
}

class PlainScanner implements HeaderScanner {
  #line: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): HeaderScan {
    this.#line = concatBytes(this.#line, chunk);
    const end = this.#line.indexOf(lineFeed);
    if (end < 0) return { kind: 'more' };
    try {
      const text = Buffer.from(this.#line.subarray(0, end)).toString();
      return { kind: 'complete', elements: JSON.parse(text) as DataSetHeader };
    } catch (error) {
      if (error instanceof SyntaxError) return { kind: 'malformed', reason: 'no JSON' };
      throw error;
    }
  }

  end(): HeaderScan {
    return { kind: 'malformed', reason: 'no line' };
  }

  close(): void {
    this.#line = new Uint8Array(0);
  }
}

export const openPlainScanner: OpenHeaderScanner = () => new PlainScanner();

/** What follows the line of attributes is what a plain data set shows. */
export const digestPlainPixels: DigestPixels = async (data) => {
  const parts: Uint8Array[] = [];
  for await (const part of data) parts.push(part);
  const bytes = concatBytes(...parts);
  const end = bytes.indexOf(lineFeed);
  if (end < 0) return { kind: 'unreadable', reason: 'no line' };
  return { kind: 'digest', digest: createHash('sha256').update(bytes.subarray(end)).digest() };
};
