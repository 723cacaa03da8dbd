/**
 * A data set of which the first piece is at hand: what cannot be read or transcoded is known before a C-STORE is begun,
 * which could only be taken back by an A-ABORT.
 */
export class BegunDataSet implements AsyncIterable<Uint8Array> {
  readonly #rest: AsyncIterator<Uint8Array>;
  readonly #first: IteratorResult<Uint8Array>;

  private constructor(rest: AsyncIterator<Uint8Array>, first: IteratorResult<Uint8Array>) {
    this.#rest = rest;
    this.#first = first;
  }

  /** @throws whatever the first piece throws. */
  static async begin(dataSet: AsyncIterable<Uint8Array>): Promise<BegunDataSet> {
    const iterator = dataSet[Symbol.asyncIterator]();
    return new BegunDataSet(iterator, await iterator.next());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let step = this.#first; step.done !== true; step = await this.#rest.next()) yield step.value;
  }

  /** Gives back what it holds, however far it was read. */
  async close(): Promise<void> {
    await this.#rest.return?.();
  }
}
