/** A thread that runs seeds for the pool. */
import { parentPort, workerData } from 'node:worker_threads';
import { mutate, type Mutation } from './mutation.ts';
import type { SeedRun } from './seed-run.ts';

const port = parentPort;
if (port === null) throw new Error('this file is for a thread of the pool');
const { mutation } = workerData as { readonly mutation?: Mutation };
if (mutation !== undefined) mutate(mutation);
// Only now, so that the firmware is loaded with the mutation.
const { runSeed } = await import('./seed-run.ts');

// An error of a box is one of the thread: the pool sees it, and which seed it was.
port.on('message', (run: SeedRun) => void runSeed(run).then((result) => port.postMessage(result)));
