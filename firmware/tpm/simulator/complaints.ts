import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Logger } from '../../src/ports.ts';

/** tcti-swtpm connects anew for each command, and swtpm has something to say about each; a log file would grow. */
const usual = /(Data|Ctrl) client disconnected$/;

/** What swtpm says on its standard error, without the usual. */
export class Complaints {
  #last = 'it said nothing';

  constructor(output: Readable, logger: Logger) {
    createInterface({ input: output }).on('line', (line) => {
      if (usual.test(line)) return;
      this.#last = line;
      logger.warn({ line }, 'swtpm');
    });
  }

  get last(): string {
    return this.#last;
  }
}
