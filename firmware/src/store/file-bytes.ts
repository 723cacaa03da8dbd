/** Reading and writing at a place of an open file, until all of it is done. */
import type { FileHandle } from 'node:fs/promises';

/** Zeros written at a time: a log's whole space would be held in memory otherwise. */
const zeroStepBytes = 1_048_576;

export async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new Error(`file ends at byte ${offset + done}`);
    done += bytesRead;
  }
  return bytes;
}

export async function writeAt(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

/** Really written, not left out: only then does the disk hold space for what comes there later. */
export async function writeZeros(handle: FileHandle, from: number, end: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(zeroStepBytes, Math.max(0, end - from)));
  for (let at = from; at < end; at += zeros.length) {
    await writeAt(handle, zeros.subarray(0, end - at), at);
  }
}
