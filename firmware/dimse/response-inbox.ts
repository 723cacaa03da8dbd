/** The responses to one request, taken one by one: a pending one that nobody takes yet holds the peer back. */
import type { Command } from './command.ts';
import type { DataSet } from './data-set.ts';

export interface Response {
  readonly command: Command;
  readonly status: number;
  readonly dataSet: DataSet | undefined;
}

export class ResponseInbox {
  readonly messageId: number;
  /** Command Field of the responses. */
  readonly commandField: number;
  #waiting: { readonly response: Response; readonly taken: () => void } | undefined;
  #taker: ((response: Response) => void) | undefined;

  constructor(messageId: number, commandField: number) {
    this.messageId = messageId;
    this.commandField = commandField;
  }

  isFor(command: Command): boolean {
    return command.commandField === this.commandField && command.messageIdBeingRespondedTo === this.messageId;
  }

  /** Resolves when it has been taken; undefined if it is already. The next one must not come before. */
  put(response: Response): Promise<void> | undefined {
    const taker = this.#taker;
    if (taker !== undefined) {
      this.#taker = undefined;
      taker(response);
      return undefined;
    }
    return new Promise((taken) => {
      this.#waiting = { response, taken };
    });
  }

  take(): Promise<Response> {
    const waiting = this.#waiting;
    if (waiting === undefined)
      return new Promise((resolve) => {
        this.#taker = resolve;
      });
    this.#waiting = undefined;
    waiting.taken();
    return Promise.resolve(waiting.response);
  }
}
