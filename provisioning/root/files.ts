/** Files that travel on a stick: small ones are read, new ones are written for their owner alone, none is overwritten. */
import { open, readFile } from 'node:fs/promises';
import { AppError } from '../../firmware/src/errors.ts';
import { offlineFileBytesMax } from './limits.ts';

/** @throws AppError DOCUMENT_INVALID naming the file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new AppError('DOCUMENT_INVALID', `The file ${path} cannot be read.`, { cause });
  }
  if (bytes.length > offlineFileBytesMax) throw new AppError('DOCUMENT_INVALID', `${path} is too long.`);
  return new Uint8Array(bytes);
}

/** @throws AppError DOCUMENT_INVALID naming the file. */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

/** @throws AppError DOCUMENT_INVALID naming the file. */
export async function writeNew(path: string, content: string | Uint8Array): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new AppError('DOCUMENT_INVALID', `The file ${path} is there already, or cannot be written.`, {
      cause,
    });
  }
}
