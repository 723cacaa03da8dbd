/** A node:test reporter that writes the counts of one file as one line of JSON, for test/runner/test-file.ts. */
import type { TestEvent } from 'node:test/reporters';

/** What node:test counted in one file. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

export default async function* countsReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let todo = 0;
  for await (const event of source) {
    if ((event.type === 'test:pass' || event.type === 'test:fail') && event.data.todo !== undefined)
      todo += 1;
    if (event.type === 'test:summary') {
      const { passed, failed, cancelled, skipped } = event.data.counts as unknown as Counts;
      yield `${JSON.stringify({ passed, failed, cancelled, skipped, todo } satisfies Counts)}\n`;
    }
  }
}
