import { setTimeout as delay } from 'node:timers/promises';

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

/** Lets everything run that waits for neither clock nor disk. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
