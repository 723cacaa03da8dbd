/**
 * What the person at the terminal sees while the set-up works: one line per step with its seconds, and on a
 * terminal a living line that shows what the tool says last. Everything goes to standard error, so that the
 * output of the program itself stays clean.
 */
const TTY_REFRESH_MS = 250;
// In a log file (CI) a line every quarter of a minute shows life without flooding it.
const LOG_REFRESH_MS = 15_000;

const seconds = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

// A hint is the foreign text of a tool: control characters would move the cursor.
const plain = (text) => text.replace(/[^\x20-\x7e]+/g, ' ').trim();

/** @param {import('node:tty').WriteStream} stream */
export function createReporter(stream) {
  const startedAt = Date.now();
  let said = false;

  const line = (text) => {
    said = true;
    stream.write(`${text}\n`);
  };

  return {
    line: (text) => line(`  ${text}`),

    /** The heading comes with the first thing that really has to be done. */
    heading(text) {
      if (!said) line('Hilum sets itself up (once).');
      line(text);
    },

    /**
     * Runs a step and shows its time.
     * @template T
     * @param {string} what
     * @param {(hint: (text: string) => void) => Promise<T>} run
     * @returns {Promise<T>}
     */
    async step(what, run) {
      const stepStartedAt = Date.now();
      let hint = '';
      const width = () => (stream.columns ?? 100) - 1;
      const show = () => {
        const elapsed = Date.now() - stepStartedAt < 1000 ? '' : `, ${seconds(stepStartedAt)}`;
        const text = `  … ${what}${elapsed}${hint ? `  ${hint}` : ''}`;
        if (stream.isTTY) stream.write(`\r\u001b[K${text.slice(0, width())}`);
        else line(text);
      };
      show();
      const timer = setInterval(show, stream.isTTY ? TTY_REFRESH_MS : LOG_REFRESH_MS);
      try {
        const result = await run((text) => {
          hint = plain(text);
        });
        clearInterval(timer);
        if (stream.isTTY) stream.write('\r\u001b[K');
        line(`  ✔ ${what}, ${seconds(stepStartedAt)}`);
        return result;
      } catch (error) {
        clearInterval(timer);
        if (stream.isTTY) stream.write('\r\u001b[K');
        line(`  ✘ ${what}, ${seconds(stepStartedAt)}`);
        throw error;
      }
    },

    finish() {
      if (said) line(`Set up in ${seconds(startedAt)}.\n`);
    },

    /** @param {import('./setup-error.mjs').SetupError} error */
    fail(error) {
      stream.write(`\nHilum: ${error.message}\n`);
      for (const detail of error.details) stream.write(`    ${detail}\n`);
      stream.write(`${error.remedy}\n`);
    },
  };
}
