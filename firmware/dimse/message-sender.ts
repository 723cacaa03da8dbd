/**
 * The messages of one side of an association, whole and one after the other: fragments of two messages may not be
 * mixed (PS3.8 annex E).
 */
import { type Command, encodeCommand } from './command.ts';
import { commandPdus, dataSetPdus } from './message-writer.ts';
import type { UpperLayer } from './upper-layer.ts';

export class MessageSender {
  readonly #upperLayer: UpperLayer;
  /** Why nothing can be sent any more. */
  readonly #ended: () => unknown;
  /** Bytes of data in one PDV; set when the association is established. */
  dataBytesMax = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(upperLayer: UpperLayer, ended: () => unknown) {
    this.#upperLayer = upperLayer;
    this.#ended = ended;
  }

  /**
   * Resolves when the peer may be sent more. Reads `dataSet` no faster than the peer takes it.
   * @throws what `ended` gives if the association has ended; the error of `dataSet` if reading that fails: the message
   * is incomplete then, and the association must be aborted.
   */
  send(contextId: number, command: Command, dataSet?: AsyncIterable<Uint8Array>): Promise<void> {
    const sent = this.#last.then(() => this.#send(contextId, command, dataSet));
    const over = (): void => {
      // Its own sender hears of a failure; the next one finds out by itself.
    };
    this.#last = sent.then(over, over);
    return sent;
  }

  async #send(contextId: number, command: Command, dataSet?: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#write(commandPdus(contextId, encodeCommand(command), this.dataBytesMax));
    if (dataSet === undefined) return;
    for await (const pieces of dataSetPdus(contextId, dataSet, this.dataBytesMax)) await this.#write(pieces);
  }

  async #write(pieces: readonly Uint8Array[]): Promise<void> {
    if (!this.#upperLayer.canSendData) throw this.#ended();
    await this.#upperLayer.data(pieces);
    if (!this.#upperLayer.canSendData) throw this.#ended();
  }
}

/** A data set that is at hand. */
export async function* atHand(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}
