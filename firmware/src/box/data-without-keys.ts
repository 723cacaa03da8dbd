/** A data folder whose keys file is gone: new keys would open nothing of it, and hide that it can be restored. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.ts';

/** What a box writes under its box key. */
const sealedNames = ['index.key', 'objects', 'quarantine'];

/** @throws AppError STORE_CORRUPT */
export function refuseDataWithoutKeys(dataDir: string, keysFile: string): void {
  if (existsSync(keysFile)) return;
  const found = sealedNames.find((name) => existsSync(join(dataDir, name)));
  if (found === undefined) return;
  throw new AppError(
    'STORE_CORRUPT',
    `${keysFile} is missing, and ${join(dataDir, found)} opens by nothing else: put it back, or give hilum restore.`,
  );
}
