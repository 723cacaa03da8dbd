/** A thread that replays the committed traces through a core with a fault in it, and says what differs. */
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { mutate, type Mutation } from '../sim/mutation.ts';
import { parseItf } from './itf.ts';
import { validatorsOf, vectorFile, vectors } from './walks.ts';

mutate(workerData as Mutation);
// Only now, so that the core is loaded with the fault.
const { firstDifference } = await import('./replay.ts');

const differences: string[] = [];
for (const vector of vectors) {
  const { events } = parseItf(await readFile(vectorFile(vector), 'utf8'));
  const difference = firstDifference(events, validatorsOf[vector.instance] ?? 0);
  if (difference !== undefined) differences.push(`${vector.name}: ${difference}`);
}
parentPort?.postMessage(differences);
