/** No process outlives the program that started it, even if its keeper was ended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { processName } from '../../provisioning/demo/process-name.ts';

const keeperUrl = new URL('../../provisioning/demo/keeper.ts', import.meta.url).href;

/** Keeps a process that would run for minutes, and says which; then waits. */
const program = `
  import { spawn } from 'node:child_process';
  const { keep } = await import(process.argv[1]);
  const child = keep(spawn('sleep', ['300'], { detached: true, stdio: 'ignore' }));
  console.log(child.pid);
  setInterval(() => undefined, 1000);
`;

async function childrenOf(parent: number, words: string): Promise<number[]> {
  const found: number[] = [];
  for (const id of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))) {
    const read = (file: string): Promise<string> => readFile(`/proc/${id}/${file}`, 'utf8').catch(() => '');
    const isChild = (await read('status')).includes(`\nPPid:\t${parent}\n`);
    if (isChild && (await read('cmdline')).includes(words)) found.push(Number(id));
  }
  return found;
}

async function eventually<Result>(look: () => Promise<Result | undefined>): Promise<Result> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(20);
  }
}

test(
  'a keeper that was ended is replaced, and ends what was kept before it',
  { timeout: 60_000 },
  async () => {
    const args = ['--input-type=module-typescript', '--eval', program, keeperUrl];
    const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [told] = (await once(holder.stdout, 'data')) as [Buffer];
    const kept = Number(String(told));
    const holderPid = holder.pid;
    assert.ok(holderPid !== undefined && processName(kept) !== undefined);
    const keeper = (): Promise<number[]> => childrenOf(holderPid, 'keeper-process');
    const first = await eventually(async () => (await keeper())[0]);
    process.kill(first, 'SIGKILL');
    await eventually(async () => (await keeper()).find((id) => id !== first));
    holder.kill('SIGKILL');
    await eventually(() => Promise.resolve(processName(kept) === undefined ? true : undefined));
  },
);
