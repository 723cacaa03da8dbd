/** The Quint tool on docs/consensus: types, stories, random walks and their traces. Nothing is downloaded. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseItf, type ModelTrace } from './itf.ts';

const root = join(import.meta.dirname, '..', '..');
const tool = join(root, 'node_modules/@informalsystems/quint/dist/src/cli.js');
const instances = join(root, 'docs/consensus/instances.qnt');

/** A walk has some tens of states with all that each box knows. */
const outputBytesMax = 64 * 1024 * 1024;

export interface Walks {
  /** A module of instances.qnt. */
  readonly instance: string;
  /** Actions of the model; `init` and `step` by default. */
  readonly init?: string;
  readonly step?: string;
  readonly invariant: string;
  readonly walks: number;
  readonly stepsMax: number;
  readonly seed: number;
}

interface Ended {
  readonly status: number;
  readonly output: string;
}

async function quint(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [tool, ...args],
      { maxBuffer: outputBytesMax, cwd: root },
      (error, stdout, stderr) => {
        const output = `${stdout}\n${stderr}`;
        if (error === null) resolve({ status: 0, output });
        else if (typeof error.code === 'number') resolve({ status: error.code, output });
        else reject(new Error('quint did not end by itself', { cause: error }));
      },
    );
  });
}

/** @throws Error with what the tool says if the model does not type-check. */
export async function checkTypes(): Promise<void> {
  const { status, output } = await quint('typecheck', instances);
  if (status !== 0) throw new Error(`the model does not type-check:\n${output}`);
}

/** Runs the stories of an instance. @returns how many passed. @throws Error if one does not hold. */
export async function runStories(instance: string): Promise<number> {
  // A story has no choices, so that once is enough; by default the tool repeats it ten thousand times.
  const args = ['--backend=typescript', '--max-samples=1', `--main=${instance}`, instances];
  const { status, output } = await quint('test', ...args);
  const passed = /(\d+) passing/.exec(output);
  if (status !== 0 || passed === null) throw new Error(`a story does not hold:\n${output}`);
  return Number(passed[1]);
}

function argumentsOf({
  instance,
  init = 'init',
  step = 'step',
  invariant,
  walks,
  stepsMax,
  seed,
}: Walks): string[] {
  return [
    '--backend=typescript',
    '--verbosity=1',
    `--main=${instance}`,
    `--init=${init}`,
    `--step=${step}`,
    `--invariant=${invariant}`,
    `--max-samples=${walks}`,
    `--max-steps=${stepsMax}`,
    `--seed=${seed}`,
  ];
}

/** The command that repeats these walks by hand, from the root of the checkout. */
export function commandOf(walks: Walks): string {
  const path = 'node_modules/@informalsystems/quint/dist/src/cli.js';
  return ['node', path, 'run', ...argumentsOf(walks), 'docs/consensus/instances.qnt'].join(' ');
}

/** True if the invariant held in all walks. @throws Error if the tool could not run them. */
export async function invariantHolds(walks: Walks): Promise<boolean> {
  return held(await quint('run', ...argumentsOf(walks), instances));
}

function held({ status, output }: Ended): boolean {
  if (status === 0) return true;
  if (output.includes('Invariant violated')) return false;
  throw new Error(`quint ended with status ${status}:\n${output}`);
}

/** Traces of these walks: the one that violates the invariant, or else the first `count`. */
export async function tracesOf(walks: Walks, count = 1): Promise<ModelTrace[]> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-model-'));
  try {
    const out = [`--n-traces=${count}`, `--out-itf=${join(folder, 'trace-{seq}.json')}`];
    held(await quint('run', ...argumentsOf(walks), ...out, instances));
    const names = (await readdir(folder)).sort();
    return await Promise.all(names.map(async (name) => parseItf(await readFile(join(folder, name), 'utf8'))));
  } finally {
    await rm(folder, { recursive: true });
  }
}
