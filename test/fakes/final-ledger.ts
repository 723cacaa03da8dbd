import { blockDigest, buildBlock, genesisBlock, genesisState } from '../../firmware/src/ledger/index.ts';
import type { BlockHeader, Genesis, LedgerState } from '../../firmware/src/ledger/types.ts';
import type {
  Clock,
  FinalBlock,
  Ledger,
  LedgerHead,
  Submitted,
  Unsubscribe,
} from '../../firmware/src/ports.ts';
import { verifySignature } from './ledger.ts';

/** The ledger's port under real rules and without consensus: what is submitted is final at once, in its own block. */
export class FinalLedger implements Ledger {
  readonly clock: Clock;
  /** Every transaction that was submitted, also those that were refused. */
  readonly submitted: Uint8Array[] = [];
  /** Asked before a transaction is tried: its answer stands instead, or its promise delays or ends the submission. */
  before: (transaction: Uint8Array) => Promise<Submitted | undefined> | undefined = () => undefined;
  /** By how much block time is ahead of the clock. */
  aheadMs = 0;
  readonly #blocks: FinalBlock[] = [];
  readonly #listeners = new Set<(final: FinalBlock) => void>();
  #header: BlockHeader;
  #state: LedgerState;

  constructor(genesis: Genesis, clock: Clock) {
    this.clock = clock;
    this.#header = genesisBlock(genesis).header;
    this.#state = genesisState(genesis);
  }

  head(): LedgerHead {
    const { height, time } = this.#header;
    return { height, time, digest: blockDigest(this.#header) };
  }

  state(): LedgerState {
    return this.#state;
  }

  async submit(transaction: Uint8Array, signal?: AbortSignal): Promise<Submitted> {
    signal?.throwIfAborted();
    this.submitted.push(transaction);
    const answer = await this.before(transaction);
    return answer ?? this.finalise(transaction);
  }

  /** A block without transactions, or with one. */
  finalise(...transactions: readonly Uint8Array[]): Submitted {
    const built = buildBlock(this.#state, this.#header, {
      view: this.#header.view + 1,
      time: Math.max(this.clock.now() + this.aheadMs, this.#header.time + 1),
      proposer: this.#state.validators()[0] ?? '',
      candidates: transactions,
      verify: verifySignature,
    });
    const [refused] = built.refused;
    if (refused !== undefined) return { kind: 'refused', reason: refused.reason };
    this.#header = built.block.header;
    this.#state = built.state;
    const final = { block: built.block, transactions: built.transactions };
    this.#blocks.push(final);
    for (const listener of this.#listeners) listener(final);
    return { kind: 'final', height: this.#header.height, time: this.#header.time };
  }

  onFinal(listener: (final: FinalBlock) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async *blocks(fromHeight: number): AsyncIterable<FinalBlock> {
    for (let index = fromHeight - 1; index < this.#blocks.length; index++) {
      const final = this.#blocks[index];
      if (final !== undefined) yield Promise.resolve(final);
    }
  }

  handover(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  evidence(): never {
    throw new Error('this ledger has no certificates');
  }
}
