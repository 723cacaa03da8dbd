/** The recovery file on disk, beside the keys file. */
import { dirname, join } from 'node:path';
import type { StoredKeys } from './keys-file.ts';
import { readSmallFile, replaceFile } from './small-file.ts';
import { sealRecovery, type RecoverySecrets } from './recovery-file.ts';
import { recoveryFileBytesMax } from '../limits.ts';

const fileName = 'recovery';

export function recoveryFileBeside(keysFile: string): string {
  return join(dirname(keysFile), fileName);
}

/** Undefined if there is none. @throws AppError STORE_FAILED, STORE_CORRUPT (too long). */
export function readRecoveryFile(keysFile: string): Promise<Uint8Array | undefined> {
  return readSmallFile(recoveryFileBeside(keysFile), recoveryFileBytesMax);
}

/**
 * Writes the file in the place of what was there. At each start too: without the code the box cannot read what is there,
 * which may be damaged, of another time or somebody else's. @throws AppError STORE_FAILED.
 */
export async function writeRecoveryFile(
  keysFile: string,
  { recoveryKey, institutionId }: Pick<StoredKeys, 'recoveryKey' | 'institutionId'>,
  secrets: RecoverySecrets,
): Promise<void> {
  await replaceFile(recoveryFileBeside(keysFile), await sealRecovery(recoveryKey, institutionId, secrets));
}
