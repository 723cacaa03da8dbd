/** The plain C program over ESYS: compiled for the run, with what the machine's compiler takes for released code. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Runner } from './operation.ts';

const run = promisify(execFile);
const source = fileURLToPath(new URL('esys-client.c', import.meta.url));
const libraries = ['-ltss2-esys', '-ltss2-mu', '-ltss2-tctildr'];
const nsPerMs = 1e6;

/** @throws Error with the compiler's words. */
export async function buildCClient(folder: string, tcti: string): Promise<Runner> {
  const program = join(folder, 'esys-client');
  await run('cc', ['-O2', '-Wall', '-o', program, source, ...libraries]);
  const env = { ...process.env, TSS2_LOG: 'all+none' };
  return async (operation, count) => {
    const { stdout } = await run(program, [tcti, operation, String(count), folder], { env });
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => Number(line) / nsPerMs);
  };
}
