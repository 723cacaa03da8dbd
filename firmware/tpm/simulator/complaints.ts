import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Logger } from '../../src/ports.ts';

/** tcti-swtpm connects anew for each command, and swtpm has something to say about each; a log file would grow. */
const usual = /(Data|Ctrl) client disconnected$/;

/** The cause stands in the first of the lines of one failure, the result in the last. */
const linesMax = 4;

/** What swtpm says on its standard error, without the usual. */
export class Complaints {
  readonly #lines: string[] = [];

  constructor(output: Readable, logger: Logger) {
    createInterface({ input: output }).on('line', (line) => {
      if (usual.test(line)) return;
      this.#lines.push(line);
      if (this.#lines.length > linesMax) this.#lines.shift();
      logger.warn({ line }, 'swtpm');
    });
  }

  /** The last lines, in one. */
  get last(): string {
    return this.#lines.join('; ') || 'it said nothing';
  }
}
