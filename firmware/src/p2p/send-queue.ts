import { queueBytesMax, queueMessagesMax } from './limits.ts';

/** Messages that wait for one peer, bounded in count and bytes: the oldest give way to the newest. One taker. */
export class SendQueue {
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #open = false;

  /** Takes messages from now on. */
  open(): void {
    this.#open = true;
  }

  /** Drops what waits and ends `take` until it is opened again. */
  close(): void {
    this.#open = false;
    this.#messages = [];
    this.#bytes = 0;
    this.#wakeTaker();
  }

  /** How many old messages had to go. A closed queue drops the message itself and counts it. */
  push(message: Uint8Array): number {
    if (!this.#open) return 1;
    this.#messages.push(message);
    this.#bytes += message.length;
    let dropped = 0;
    while (this.#messages.length > queueMessagesMax || this.#bytes > queueBytesMax) {
      this.#bytes -= (this.#messages.shift() as Uint8Array).length;
      dropped++;
    }
    this.#wakeTaker();
    return dropped;
  }

  /** The oldest message; waits for one; undefined once the queue is closed. */
  async take(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!this.#open) return undefined;
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#bytes -= message.length;
        return message;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #wakeTaker(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
