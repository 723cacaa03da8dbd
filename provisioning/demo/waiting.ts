import { setTimeout as delay } from 'node:timers/promises';

const lookMs = 100;

/** Asks again until the answer is there. @throws Error saying what was waited for. */
export async function waitFor<Result>(
  what: string,
  seconds: number,
  look: () => Promise<Result | undefined>,
): Promise<Result> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const result = await look();
    if (result !== undefined) return result;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await delay(lookMs);
  }
}
