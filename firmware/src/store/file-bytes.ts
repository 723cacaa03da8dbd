/** Reading all that is asked for, and taking space, in an open file. */
import type { FileSystem, StoredFile } from './file-system.ts';

/** Zeros written or read at a time: a log's whole space would be held in memory otherwise. */
const zeroStepBytes = 1_048_576;

/** @throws Error if the file ends before. */
export async function readAt(file: StoredFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const done = await file.read(bytes, offset);
  if (done < length) throw new Error(`file ends at byte ${offset + done}`);
  return bytes;
}

/** Really written, not left out: only then does the disk hold space for what comes there later. */
export async function writeZeros(file: StoredFile, from: number, end: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(zeroStepBytes, Math.max(0, end - from)));
  for (let at = from; at < end; at += zeros.length) {
    await file.write([zeros.subarray(0, end - at)], at);
  }
}

/** Reads no further than the first byte that is not. @throws Error if the file ends before. */
export async function isZero(file: StoredFile, from: number, end: number): Promise<boolean> {
  const zeros = Buffer.alloc(Math.min(zeroStepBytes, end - from));
  for (let at = from; at < end; at += zeros.length) {
    const length = Math.min(zeros.length, end - at);
    if (!zeros.subarray(0, length).equals(await readAt(file, at, length))) return false;
  }
  return true;
}

export async function readWholeFile(files: FileSystem, path: string): Promise<Uint8Array> {
  const file = await files.open(path, 'r');
  try {
    return await readAt(file, 0, await file.size());
  } finally {
    await file.close();
  }
}
