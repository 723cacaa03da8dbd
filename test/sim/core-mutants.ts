/** The core as it is, and copies with one fault written into their source: the harness must notice each. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as help from '../../firmware/src/consensus/help.ts';
import * as recovery from '../../firmware/src/consensus/recovery.ts';
import * as simplex from '../../firmware/src/consensus/simplex.ts';
import type { Core } from './core-world.ts';

const sourceFolder = fileURLToPath(new URL('../../firmware/src/consensus/', import.meta.url));
const encodingUrl = new URL('../../firmware/src/encoding/', import.meta.url).href;

export const core: Core = { ...help, ...recovery, ...simplex };

export interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A core with this mutation. @throws Error if the text to change does not stand exactly once in the file. */
export async function mutant({ file, from, to }: Mutation): Promise<Core> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-mutant-'));
  try {
    await cp(sourceFolder, folder, { recursive: true });
    for (const name of ['help', 'limits', 'parents', 'recovery', 'signatures', 'simplex', 'state', 'types']) {
      const path = join(folder, `${name}.ts`);
      const source = await readFile(path, 'utf8');
      const changed = `${name}.ts` === file ? replaceOnce(source, from, to) : source;
      await writeFile(path, changed.replaceAll('../encoding/', encodingUrl));
    }
    const load = (name: string): Promise<unknown> => import(pathToFileURL(join(folder, name)).href);
    const parts = await Promise.all(['help.ts', 'recovery.ts', 'simplex.ts'].map(load));
    return Object.assign({}, ...parts) as Core;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function replaceOnce(source: string, from: string, to: string): string {
  if (source.split(from).length !== 2) throw new Error(`"${from}" does not stand exactly once`);
  return source.replace(from, () => to);
}
