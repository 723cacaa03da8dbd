/**
 * The keeper: it is told processes on its standard input, one a line, and ends those that still run when the input
 * ends. So they end also when the demonstration was killed, and none of them need know of a demonstration.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { pidIn, processName } from './process-name.ts';

/** For an orderly end: a box flushes its stores and stops its TPM. */
const graceMs = 8_000;
const lookMs = 100;

function send(signal: 'SIGTERM' | 'SIGKILL', name: string): void {
  try {
    process.kill(pidIn(name), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has ended, as it should
  }
}

const kept: string[] = [];
for await (const line of createInterface({ input: process.stdin })) kept.push(line);

const running = () => kept.filter((name) => processName(pidIn(name)) === name);
for (const name of running()) send('SIGTERM', name);
const deadline = performance.now() + graceMs;
while (running().length > 0 && performance.now() < deadline) await delay(lookMs);
for (const name of running()) send('SIGKILL', name);
