/** Folders that go as a whole: after a power cut there is all of it, or something that the next start removes. */
import { dirname } from 'node:path';
import type { FileSystem } from './file-system.ts';

/** Of a folder that is being erased: what is left of it means nothing any more. */
export const goneSuffix = '.gone';

/** File by file, a power cut could leave a study's key without its log, which looks like damage. */
export async function eraseFolder(files: FileSystem, path: string): Promise<void> {
  const gone = `${path}${goneSuffix}`;
  await files.rename(path, gone);
  await files.syncFolder(dirname(path));
  await files.remove(gone);
  await files.syncFolder(dirname(path));
}
