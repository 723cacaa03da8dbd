/** Wrapping of all data keys under another box key, while no store is open. */
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { writeFileAtomically } from './data-folder.ts';
import { readWholeFile } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';
import { unwrapKey, wrapKey } from './key-wrap.ts';
import { keyFile } from './study-store.ts';

/** A study, also one that was set aside as damaged; what is being erased, and what is no study, has other names. */
const studyPattern = /^([0-9a-f]{32})(?:\.damaged)?$/;

export interface Rewrapping {
  /** Folders whose sub-folders are studies. */
  readonly studyFolders: readonly string[];
  /** Wrapped keys with what each is for. */
  readonly dataKeys: readonly { readonly folder: string; readonly name: string }[];
  readonly boxKey: Uint8Array;
  readonly nextBoxKey: Uint8Array;
  readonly files?: FileSystem;
}

/**
 * Each key is on disk under the new one when this resolves; one that an earlier attempt wrapped is left. What is being
 * erased is passed over: its key dies with the old box key. @throws AppError STORE_CORRUPT, STORE_FAILED.
 */
export async function rewrapKeys({
  studyFolders,
  dataKeys,
  boxKey,
  nextBoxKey,
  files = nodeFileSystem,
}: Rewrapping): Promise<void> {
  const rewrap = async (folder: string, file: string, purpose: string): Promise<void> => {
    const path = join(folder, file);
    if (!(await files.exists(path))) return;
    const wrapped = await readWholeFile(files, path);
    if (opens(nextBoxKey, wrapped, purpose)) return;
    const key = unwrapKey(boxKey, wrapped, purpose);
    await writeFileAtomically(folder, file, wrapKey(nextBoxKey, key, purpose), files);
  };
  for (const { folder, name } of dataKeys) await rewrap(folder, `${name}.key`, name);
  for (const folder of studyFolders) {
    if (!(await files.exists(folder))) continue;
    for (const name of await files.list(folder)) {
      const ref = studyPattern.exec(name)?.[1];
      if (ref !== undefined) await rewrap(join(folder, name), keyFile, ref);
    }
  }
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
