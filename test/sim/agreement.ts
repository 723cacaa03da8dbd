/** The rule above all: no two honest boxes have different final blocks at one height, and none ever loses one. */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { blockDigest, transactionId } from '../../firmware/src/ledger/index.ts';
import type { TransactionId } from '../../firmware/src/ledger/types.ts';
import type { FinalBlock, LedgerHead } from '../../firmware/src/ports.ts';

export class Agreement {
  /** By height, of whoever had it first. */
  readonly #digests: string[] = [];
  readonly #heights = new Map<TransactionId, number>();
  /** The greatest height of which each node has said that it is final there. */
  readonly #reached = new Map<string, number>();

  get height(): number {
    return Math.max(0, this.#digests.length - 1);
  }

  get transactions(): number {
    return this.#heights.size;
  }

  isFinal(transaction: TransactionId): boolean {
    return this.#heights.has(transaction);
  }

  /** A block has become final on this node. What is wrong with that, or undefined. */
  final(node: string, { block }: FinalBlock): string | undefined {
    const { height } = block.header;
    const due = (this.#reached.get(node) ?? 0) + 1;
    if (height !== due) return `${node} has block ${height} where ${due} is due`;
    this.#reached.set(node, height);
    const digest = toHex(blockDigest(block.header));
    const agreed = this.#digests[height];
    if (agreed !== undefined) return agreed === digest ? undefined : `${node} differs at height ${height}`;
    this.#digests[height] = digest;
    for (const id of block.transactions.map(transactionId)) {
      if (this.#heights.has(id)) return `a transaction is final at height ${height} for the second time`;
      this.#heights.set(id, height);
    }
    return undefined;
  }

  /** The node has started with this head on its disk. */
  started(node: string, { height, digest }: LedgerHead): string | undefined {
    const reached = this.#reached.get(node) ?? 0;
    if (height < reached) return `${node} has lost the blocks from ${height + 1} to ${reached}`;
    this.#reached.set(node, height);
    const agreed = this.#digests[height];
    return height > 0 && agreed !== undefined && agreed !== toHex(digest)
      ? `${node} starts with another block at height ${height}`
      : undefined;
  }

  /** A submission was answered with "final at this height". */
  answered(transaction: TransactionId, height: number): string | undefined {
    const known = this.#heights.get(transaction);
    return known === height ? undefined : `an answer names height ${height}, the transaction is at ${known}`;
  }
}
