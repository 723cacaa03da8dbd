/** Sees to it that no box and no PACS outlives the program that started it, however that one ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { processName } from './process-name.ts';

const keeperPath = fileURLToPath(new URL('keeper-process.ts', import.meta.url));

/** One keeper for the whole program: it lives as long as the pipe to it is open, which is as long as we do. */
let pipe: Writable | undefined;

/** What it was told. */
const kept: string[] = [];

/** An interrupt of our process group reaches a keeper that is just being spawned: another is told the same. */
const keepersMax = 3;
let keepers = 0;

function openPipe(): Writable {
  keepers += 1;
  const keeper = spawn(process.execPath, [keeperPath], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true, // what ends our process group must not end it
  });
  // Its end tells.
  keeper.stdin.on('error', () => undefined);
  keeper.once('exit', (code, signal) => {
    if (keepers === keepersMax)
      throw new Error(
        `the keeper of the processes ended (${signal ?? String(code)}), and so did those before it`,
      );
    pipe = openPipe();
  });
  // Neither may keep us alive.
  keeper.unref();
  (keeper.stdin as Writable & { unref?: () => void }).unref?.();
  for (const name of kept) keeper.stdin.write(`${name}\n`);
  return keeper.stdin;
}

/** Has this child ended when we have ended. Call it as soon as the child is spawned. */
export function keep<Child extends ChildProcess>(child: Child): Child {
  // A child that could not be spawned has no id; its `error` event tells.
  const name = child.pid === undefined ? undefined : processName(child.pid);
  if (name === undefined) return child;
  kept.push(name);
  if (pipe === undefined) pipe = openPipe();
  else pipe.write(`${name}\n`);
  return child;
}
