import { createHook } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Long enough for the most loaded machine; a test that gets here has failed. */
const triesMax = 2_000;

/** Resolves when the condition holds. Nothing about how fast: a test that waits on a clock moves it itself. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries === triesMax) throw new Error(`never came: ${what}`);
    // Some work runs in the thread pool (WebCrypto, files), so a few turns of the event loop are not enough.
    await delay(tries < 50 ? 0 : 5);
  }
}

/** What runs in the thread pool, by the types of its asynchronous resources: WebCrypto, and files. */
const poolRequest = /^FSREQ|^FILEHANDLECLOSEREQ$|^(?!HTTP).*REQUEST$/;
const inPool = new Set<number>();

createHook({
  init: (id, type) => {
    if (poolRequest.test(type)) inPool.add(id);
  },
  before: (id) => {
    inPool.delete(id);
  },
  destroy: (id) => {
    inPool.delete(id);
  },
}).enable();

// What is signed at one go makes a request too, which nobody hears of again until its memory is collected.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

const quietTurns = 20;
const newCollectedTurns = 50;
const allCollectedTurns = 5_000;
const longestTurns = 1_000_000;

/**
 * Lets everything run that waits for no clock: turns of the event loop, counted anew whenever a request in the
 * thread pool comes back, for on a loaded machine one signature takes longer than any number of turns.
 */
export async function settle(): Promise<void> {
  let quiet = 0;
  for (let turn = 0; quiet < quietTurns; turn++) {
    if (turn === longestTurns) throw new Error('never settled: a request stays in the thread pool');
    await new Promise((resolve) => setImmediate(resolve));
    if (turn % allCollectedTurns === allCollectedTurns - 1) collectGarbage();
    else if (turn % newCollectedTurns === newCollectedTurns - 1) collectGarbage({ type: 'minor' });
    quiet = inPool.size > 0 ? 0 : quiet + 1;
  }
}
