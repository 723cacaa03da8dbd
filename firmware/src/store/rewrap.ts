/** All data keys that a box key wraps: whether it opens them, and their wrapping under another one. No store is open. */
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { writeFileAtomically } from './data-folder.ts';
import { readWholeFile } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';
import { unwrapKey, wrapKey } from './key-wrap.ts';
import { keyFile } from './study-store.ts';

/** A study, also one that was set aside as damaged; what is being erased, and what is no study, has other names. */
const studyPattern = /^([0-9a-f]{32})(?:\.damaged)?$/;

export interface WrappedKeys {
  /** Folders whose sub-folders are studies. */
  readonly studyFolders: readonly string[];
  /** Wrapped keys with what each is for. */
  readonly dataKeys: readonly { readonly folder: string; readonly name: string }[];
}

export interface Rewrapping extends WrappedKeys {
  readonly boxKey: Uint8Array;
  readonly nextBoxKey: Uint8Array;
  readonly files?: FileSystem;
}

interface WrappedKey {
  readonly folder: string;
  readonly file: string;
  readonly purpose: string;
  readonly wrapped: Uint8Array;
}

/** Those that are there, one after the other. What is being erased is passed over. @throws AppError STORE_FAILED. */
async function* keysOf(
  { studyFolders, dataKeys }: WrappedKeys,
  files: FileSystem,
): AsyncIterable<WrappedKey> {
  const places = dataKeys.map(({ folder, name }) => ({ folder, file: `${name}.key`, purpose: name }));
  for (const folder of studyFolders) {
    if (!(await files.exists(folder))) continue;
    for (const name of await files.list(folder)) {
      const ref = studyPattern.exec(name)?.[1];
      if (ref !== undefined) places.push({ folder: join(folder, name), file: keyFile, purpose: ref });
    }
  }
  for (const place of places) {
    const path = join(place.folder, place.file);
    if (await files.exists(path)) yield { ...place, wrapped: await readWholeFile(files, path) };
  }
}

/**
 * Each key is on disk under the new one when this resolves; one that an earlier attempt wrapped is left. The key of what is
 * being erased dies with the old box key. @throws AppError STORE_CORRUPT, STORE_FAILED.
 */
export async function rewrapKeys({
  boxKey,
  nextBoxKey,
  files = nodeFileSystem,
  ...keys
}: Rewrapping): Promise<void> {
  for await (const { folder, file, purpose, wrapped } of keysOf(keys, files)) {
    if (opens(nextBoxKey, wrapped, purpose)) continue;
    const key = unwrapKey(boxKey, wrapped, purpose);
    await writeFileAtomically(folder, file, wrapKey(nextBoxKey, key, purpose), files);
  }
}

/**
 * True if one of these box keys opens a key that is there, or none is there. A single key may be damaged: only where
 * nothing opens they are of another box, or of another time. @throws AppError STORE_FAILED.
 */
export async function opensAny(keys: WrappedKeys, boxKeys: readonly Uint8Array[]): Promise<boolean> {
  let isEmpty = true;
  for await (const { wrapped, purpose } of keysOf(keys, nodeFileSystem)) {
    if (boxKeys.some((boxKey) => opens(boxKey, wrapped, purpose))) return true;
    isEmpty = false;
  }
  return isEmpty;
}

function opens(boxKey: Uint8Array, wrapped: Uint8Array, purpose: string): boolean {
  try {
    unwrapKey(boxKey, wrapped, purpose);
    return true;
  } catch (failure) {
    if (failure instanceof AppError && failure.code === 'STORE_CORRUPT') return false;
    throw failure;
  }
}
