import { rename, writeFile } from 'node:fs/promises';

/** Writes a file that its owner alone can read, whole or not at all. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, `${text}\n`, { mode: 0o600 });
  await rename(`${path}.part`, path);
}
