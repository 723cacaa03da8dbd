/** The person in front of the machine. */
export interface RootTerminal {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
  /** An answer that is not shown while it is typed. */
  readonly askSecret: (question: string) => Promise<string>;
  readonly ask: (question: string) => Promise<string>;
  /** UTC milliseconds. */
  readonly now: () => number;
}
