/** What the tests of one file start together is stopped when they are all over, the last first: its folder after a box. */
import { after } from 'node:test';

type Cleanup = () => Promise<void> | void;

const cleanups: Cleanup[] = [];

/** Takes what the context of a test takes too, for longer than that test. */
export const fileCleanups = {
  after(cleanup: Cleanup): void {
    cleanups.push(cleanup);
  },
};

/** One that fails keeps none of the others from being done. */
after(async () => {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'what was started could not be stopped');
});
