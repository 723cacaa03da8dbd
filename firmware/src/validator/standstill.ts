/** What the members need to know of each box when the ledger stands still (docs/runbooks/restart.md). */
import type { CoreState } from '../consensus/state.ts';
import { toHex } from '../encoding/bytes.ts';
import type { Clock, Logger } from '../ports.ts';
import type { BlockTree } from './block-tree.ts';
import type { FinalChain } from './final-chain.ts';
import { headAgeMsMax } from './limits.ts';
import type { VotingRights } from './voting-rights.ts';

export interface StandstillOptions {
  readonly chain: FinalChain;
  readonly tree: BlockTree;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rights: Pick<VotingRights, 'gap' | 'hasLog'>;
  readonly core: () => CoreState;
}

/** A block, and the view of its epoch in which it is final or notarized; 0 if it closed the epoch before. */
export interface LastBlock {
  readonly epoch: number;
  readonly view: number;
  /** Undefined if this box has only its certificate, or lacks a block before it: whoever has all tells the height. */
  readonly height: number | undefined;
  readonly digest: Uint8Array;
}

export class Standstill {
  readonly #options: StandstillOptions;
  #since: number | undefined;
  #isTold = false;

  constructor(options: StandstillOptions) {
    this.#options = options;
  }

  /**
   * The newest block here that is final or notarized, whether its content is at hand or not: if anything is final
   * anywhere that this box has voted to finalize, it is this block or one before it.
   */
  get lastBlock(): LastBlock {
    const { chain, core, tree } = this.#options;
    const { height, digest } = chain.head;
    let last: LastBlock = { ...chain.place, height, digest };
    const { final, views, options } = core();
    // Consensus of the next epoch begins in a moment.
    if (options.epoch !== last.epoch) return last;
    const certified = [
      final,
      ...[...views].map(([view, { notarization }]) => ({ view, digest: notarization?.digest })),
    ];
    for (const { view, digest: known } of certified) {
      if (known === undefined || view <= last.view) continue;
      last = { epoch: last.epoch, view, height: undefined, digest: known };
    }
    if (last.height !== undefined) return last;
    // Nobody can go on from it who lacks a block before it.
    const found = tree.lookup(last.digest);
    return found.kind === 'executed' ? { ...last, height: found.block.block.header.height } : last;
  }

  /** Says once in each standstill where this box is. `ageMs`: of the newest final block. */
  look(ageMs: number): void {
    const { clock, core, logger, rights } = this.#options;
    if (ageMs <= headAgeMsMax) {
      this.#since = undefined;
      this.#isTold = false;
      return;
    }
    this.#since ??= clock.now();
    // After a start it takes a while to hear what the others have.
    if (this.#isTold || clock.now() - this.#since < headAgeMsMax) return;
    this.#isTold = true;
    const { digest, height, ...place } = this.lastBlock;
    logger.warn(
      {
        ...place,
        height: height ?? 'body missing',
        digest: toHex(digest),
        reachedView: core().view,
        forgottenSince: rights.hasLog ? (rights.gap ?? 'nothing') : 'unreadable',
      },
      'the ledger stands still; this is the last block here',
    );
  }
}
