/** The rule above all: no two honest boxes have different final blocks at one height, and none ever loses one. */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { blockDigest, transactionId } from '../../firmware/src/ledger/index.ts';
import type { Block, TransactionId } from '../../firmware/src/ledger/types.ts';
import type { LedgerHead } from '../../firmware/src/ports.ts';

export class Agreement {
  /** By height, of whoever had it first. */
  readonly #digests: string[] = [];
  readonly #epochs: number[] = [];
  /** Of the state after each block. */
  readonly #stateRoots: string[] = [];
  readonly #heights = new Map<TransactionId, number>();
  /** The greatest height of which each node has said that it is final there. */
  readonly #reached = new Map<string, number>();
  /** How often each node went on from a snapshot. */
  readonly #jumps = new Map<string, number>();

  get height(): number {
    return Math.max(0, this.#digests.length - 1);
  }

  get transactions(): number {
    return this.#heights.size;
  }

  /** Times at which any node went on from a snapshot. */
  get jumps(): number {
    return [...this.#jumps.values()].reduce((sum, count) => sum + count, 0);
  }

  hasJumped(node: string): boolean {
    return this.#jumps.has(node);
  }

  /** Undefined if no node that is asked has had the block. */
  epochAt(height: number): number | undefined {
    return this.#epochs[height];
  }

  isFinal(transaction: TransactionId): boolean {
    return this.#heights.has(transaction);
  }

  /**
   * A block has become final on this node, which has the transactions from the block at `first` on. What is wrong with
   * that, or undefined.
   */
  final(node: string, block: Block, first: number): string | undefined {
    const { height } = block.header;
    const due = this.#reachedFrom(node, first) + 1;
    if (height !== due) return `${node} has block ${height} where ${due} is due`;
    this.#reached.set(node, height);
    const digest = toHex(blockDigest(block.header));
    const agreed = this.#digests[height];
    if (agreed !== undefined) return agreed === digest ? undefined : `${node} differs at height ${height}`;
    this.#digests[height] = digest;
    this.#epochs[height] = block.header.epoch;
    this.#stateRoots[height] = toHex(block.header.stateRoot);
    for (const id of block.transactions.map(transactionId)) {
      if (this.#heights.has(id)) return `a transaction is final at height ${height} for the second time`;
      this.#heights.set(id, height);
    }
    return undefined;
  }

  /** The node has this head on its disk, after a start or at the end, and the transactions from the block at `first` on. */
  stands(
    node: string,
    { height, digest }: LedgerHead,
    stateRoot: Uint8Array,
    first: number,
  ): string | undefined {
    const reached = this.#reachedFrom(node, first);
    if (height < reached) return `${node} has lost the blocks from ${height + 1} to ${reached}`;
    this.#reached.set(node, height);
    const agreed = this.#digests[height];
    if (height === 0 || agreed === undefined) return undefined;
    if (agreed !== toHex(digest)) return `${node} stands at another block at height ${height}`;
    return this.#stateRoots[height] === toHex(stateRoot)
      ? undefined
      : `${node} has another state after block ${height}`;
  }

  /** What is wrong with the header that a node has kept of a block whose transactions it has dropped, or undefined. */
  kept(node: string, height: number, digest: Uint8Array): string | undefined {
    const agreed = this.#digests[height];
    return height === 0 || agreed === toHex(digest)
      ? undefined
      : `${node} keeps a wrong header of block ${height}`;
  }

  /** Only a snapshot leads over blocks, and it begins with the last of them. */
  #reachedFrom(node: string, first: number): number {
    const reached = this.#reached.get(node) ?? 0;
    if (first <= reached) return reached;
    this.#jumps.set(node, (this.#jumps.get(node) ?? 0) + 1);
    this.#reached.set(node, first);
    return first;
  }

  /** A submission was answered with "final at this height". */
  answered(transaction: TransactionId, height: number): string | undefined {
    const known = this.#heights.get(transaction);
    return known === height ? undefined : `an answer names height ${height}, the transaction is at ${known}`;
  }
}
