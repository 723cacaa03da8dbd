/** Work that is cut where it yields, so that everybody else can have a turn in between. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** At one go: for what is known to be short. */
export function withoutRests<Result>(work: Generator<undefined, Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Everybody else has a turn wherever it yields. */
export async function withRests<Result>(work: Generator<undefined, Result>): Promise<Result> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await nextTurn();
  }
}
