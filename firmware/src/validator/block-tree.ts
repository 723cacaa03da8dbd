/** Blocks above the final head: bodies as they come, and their states once all ancestors are there. */
import { equalBytes } from '../encoding/bytes.ts';
import { blockDigest, executeBlock, transactionsRoot } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { Logger, VerifySignature } from '../ports.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import { executedBlock, keyOf } from './final-chain.ts';
import { isAfter } from './place.ts';

export type Lookup =
  | { readonly kind: 'executed'; readonly block: ExecutedBlock }
  /** This body must come first. */
  | { readonly kind: 'missing'; readonly digest: Uint8Array }
  /** The block or an ancestor breaks a rule of the ledger. */
  | { readonly kind: 'invalid' };

export class BlockTree {
  readonly #chain: FinalChain;
  readonly #verify: VerifySignature;
  readonly #logger: Logger;
  readonly #bodies = new Map<string, Block>();
  readonly #executed = new Map<string, ExecutedBlock>();
  readonly #invalid = new Set<string>();

  constructor(chain: FinalChain, verify: VerifySignature, logger: Logger) {
    this.#chain = chain;
    this.#verify = verify;
    this.#logger = logger;
  }

  /**
   * False if these are not the transactions that the header names. That is the fault of who sent it, not of the block:
   * another box has the right ones.
   */
  add(block: Block): boolean {
    const { header, transactions } = block;
    if (!equalBytes(transactionsRoot(transactions), header.transactionsRoot)) return false;
    if (isAfter(header, this.#chain.place)) this.#bodies.set(keyOf(blockDigest(header)), block);
    return true;
  }

  /** An own block, whose state is known from building it. */
  addExecuted(executed: ExecutedBlock): void {
    this.#bodies.set(keyOf(executed.digest), executed.block);
    this.#executed.set(keyOf(executed.digest), executed);
  }

  has(digest: Uint8Array): boolean {
    return this.#bodies.has(keyOf(digest));
  }

  body(digest: Uint8Array): Block | undefined {
    return this.#bodies.get(keyOf(digest));
  }

  /** The block with its state, executing it and its ancestors where that was not done yet. */
  lookup(digest: Uint8Array): Lookup {
    const path: Block[] = [];
    let at = digest;
    for (;;) {
      const known = this.#known(at);
      if (known !== undefined) return this.#execute(known, path);
      if (this.#invalid.has(keyOf(at))) return { kind: 'invalid' };
      const body = this.#bodies.get(keyOf(at));
      if (body === undefined) return { kind: 'missing', digest: at };
      // Below the head there is but the final chain, and this is not on it.
      if (body.header.height <= this.#chain.head.height) return { kind: 'invalid' };
      path.push(body);
      at = body.header.parent;
    }
  }

  /** The executed blocks from just above the head up to this one; undefined if one is missing or not valid. */
  pathTo(digest: Uint8Array): ExecutedBlock[] | undefined {
    const found = this.lookup(digest);
    if (found.kind !== 'executed') return undefined;
    const path: ExecutedBlock[] = [];
    let at = found.block;
    while (at.block.header.height > this.#chain.head.height) {
      path.unshift(at);
      const parent = this.#known(at.block.header.parent);
      if (parent === undefined) return undefined;
      at = parent;
    }
    return keyOf(at.digest) === keyOf(this.#chain.head.digest) ? path : undefined;
  }

  /** Forgets what the final head has decided. */
  prune(): void {
    const { place } = this.#chain;
    for (const [key, { header }] of this.#bodies) {
      if (isAfter(header, place)) continue;
      this.#bodies.delete(key);
      this.#executed.delete(key);
      this.#invalid.delete(key);
    }
  }

  #known(digest: Uint8Array): ExecutedBlock | undefined {
    const { tip } = this.#chain;
    return keyOf(digest) === keyOf(tip.digest) ? tip : this.#executed.get(keyOf(digest));
  }

  /** `path`: newest first. */
  #execute(from: ExecutedBlock, path: readonly Block[]): Lookup {
    let at = from;
    for (const block of path.toReversed()) {
      const result = executeBlock(at.state, at.block.header, block, { verify: this.#verify });
      if (result.kind === 'invalid') {
        const { height, view } = block.header;
        this.#logger.warn({ height, view, reason: result.reason }, 'a proposed block is not valid');
        this.#invalid.add(keyOf(blockDigest(block.header)));
        return { kind: 'invalid' };
      }
      at = executedBlock(block, result.state, result.transactions);
      this.#executed.set(keyOf(at.digest), at);
    }
    return { kind: 'executed', block: at };
  }
}
