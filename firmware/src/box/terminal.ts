/** The person in front of the box: asks line by line, as well of a person as of a pipe. */
import { createInterface } from 'node:readline';

export interface Terminal {
  tell(line: string): void;
  /** One line; empty if nobody answers. */
  ask(question: string): Promise<string>;
  /** Takes away what was shown, what can be scrolled back to as well. */
  clear(): void;
}

/** Erase the screen, then what was scrolled out of it (xterm's ED 3), and go to the upper left (ECMA-48, 8.3.39 and 8.3.21). */
const clearScreen = '\u001b[2J\u001b[3J\u001b[H';

/** True if a person sees what is written, and answers: no pipe, no file, no journal of a service manager. */
export function isPersonThere(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

export async function withTerminal<T>(act: (terminal: Terminal) => Promise<T>): Promise<T> {
  // Without a history: what is typed here are halves of recovery codes.
  const lines = createInterface({ input: process.stdin, output: process.stdout, historySize: 0 });
  const typed = lines[Symbol.asyncIterator]();
  try {
    return await act({
      tell: (line) => process.stdout.write(`${line}\n`),
      ask: async (question) => {
        process.stdout.write(`${question}: `);
        const { value } = await typed.next();
        return value ?? '';
      },
      clear: () => process.stdout.write(clearScreen),
    });
  } finally {
    lines.close();
  }
}
