/**
 * Final blocks from peers, for a box that is behind: verified by certificate, hash links and state roots, so that a
 * peer which lies costs only itself. And single blocks by digest that a certificate names and the box lacks.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { blockDigest } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger, Network } from '../ports.ts';
import type { CertifiedBlocks } from './certified-blocks.ts';
import { keyOf } from './final-chain.ts';
import type { BlockRequest, FinalRecord } from './final-records.ts';
import { decodeBlockAnswer, encodeBlockRequest } from './final-records.ts';
import {
  blockRequestMs,
  blocksAskedMax,
  catchUpAnswerReadBytesMax,
  catchUpPendingBytesMax,
  catchUpRequestMs,
  catchUpRetryMs,
  lyingPeerMs,
} from './limits.ts';

export const blockProtocol = '/hilum/blocks/1';

export interface CatchUpOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly headHeight: () => number;
  /**
   * Verifies and adds them. `wrong`: they are not what the certificate claims, or it is no certificate. Undefined: the
   * box stops.
   */
  readonly apply: (blocks: CertifiedBlocks) => Promise<'applied' | 'wrong' | undefined>;
  /** True while a block is known to be final that the box does not have. */
  readonly isMissingFinal: () => boolean;
  /** False if it lacks the transactions that its header names. */
  readonly gotBlock: (block: Block) => boolean;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #abort = new AbortController();
  /** What peers said of their height, never believed without proof. */
  readonly #heights = new Map<InstitutionId, number>();
  /** Peers not to be asked until then, UTC milliseconds. */
  readonly #avoided = new Map<InstitutionId, number>();
  readonly #asked = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new AppError('PEER_UNREACHABLE', 'catching up ends: the box stops'));
    await Promise.all([this.#running, ...this.#asked.values()]);
  }

  peerIsAt(peer: InstitutionId, height: number): void {
    this.#heights.set(peer, height);
    this.look();
  }

  /** Begins to catch up if the box is behind and does not do so already. */
  look(): void {
    if (this.#running !== undefined || this.#abort.signal.aborted || !this.#isBehind()) return;
    this.#running = this.#run().finally(() => (this.#running = undefined));
  }

  /** Asks the connected peers in turn for a block that is not final yet. */
  ask(digest: Uint8Array): void {
    const key = keyOf(digest);
    if (this.#asked.has(key) || this.#asked.size >= blocksAskedMax || this.#abort.signal.aborted) return;
    this.#asked.set(
      key,
      this.#askInTurn(digest).finally(() => this.#asked.delete(key)),
    );
  }

  #isBehind(): boolean {
    const own = this.#options.headHeight();
    return this.#options.isMissingFinal() || [...this.#heights.values()].some((height) => height > own);
  }

  /** Tall peers first. */
  #peers(): InstitutionId[] {
    const { network, clock } = this.#options;
    const heightOf = (peer: InstitutionId): number => this.#heights.get(peer) ?? 0;
    return network
      .peers()
      .filter(
        ({ institution, connected }) => connected && (this.#avoided.get(institution) ?? 0) <= clock.now(),
      )
      .map(({ institution }) => institution)
      .sort((a, b) => heightOf(b) - heightOf(a));
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (this.#isBehind() && !signal.aborted) {
      const before = this.#options.headHeight();
      for (const peer of this.#peers()) {
        await this.#followPeer(peer);
        if (!this.#isBehind() || signal.aborted) return;
      }
      if (this.#options.headHeight() > before) continue;
      // Nobody could help: whoever claimed to be ahead must say so again; what is missing is asked for again soon.
      this.#heights.clear();
      if (!this.#options.isMissingFinal()) return;
      await this.#options.clock.sleep(catchUpRetryMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason;
      });
    }
  }

  /** Takes blocks from one peer until it has no more, or fails, or lies. */
  async #followPeer(peer: InstitutionId): Promise<void> {
    const { headHeight, apply, logger } = this.#options;
    let pending: FinalRecord[] = [];
    let pendingBytes = 0;
    for (;;) {
      const from = (pending.at(-1)?.block.header.height ?? headHeight()) + 1;
      const answer = await this.#request(peer, { from }, catchUpRequestMs);
      if (answer === undefined) return;
      if (answer.records.some(({ block }, index) => block.header.height !== from + index)) {
        this.#avoid(peer, 'blocks of other heights');
        return;
      }
      if (answer.records.length === 0) {
        this.#heights.set(peer, Math.min(this.#heights.get(peer) ?? 0, headHeight()));
        return;
      }
      pending.push(...answer.records);
      pendingBytes += answer.bytes;
      const certified = pending.findLastIndex(({ certificate }) => certificate !== null) + 1;
      if (certified === 0 && pendingBytes <= catchUpPendingBytesMax) continue;
      const outcome = certified === 0 ? 'wrong' : await apply(pending.slice(0, certified));
      if (outcome === 'wrong') this.#avoid(peer, 'blocks that do not verify');
      if (outcome !== 'applied') return;
      logger.info({ peer, height: headHeight() }, 'caught up by blocks of a peer');
      pending = pending.slice(certified);
      pendingBytes = 0;
    }
  }

  async #askInTurn(digest: Uint8Array): Promise<void> {
    for (const peer of this.#peers()) {
      const answer = await this.#request(peer, { digest }, blockRequestMs);
      const block = answer?.records[0]?.block;
      if (block === undefined) continue;
      if (equalBytes(blockDigest(block.header), digest) && this.#options.gotBlock(block)) return;
      this.#avoid(peer, 'another block than the one asked for');
    }
  }

  /** Undefined if there is no usable answer. */
  async #request(
    peer: InstitutionId,
    request: BlockRequest,
    timeoutMs: number,
  ): Promise<{ readonly records: FinalRecord[]; readonly bytes: number } | undefined> {
    const { signal } = this.#abort;
    try {
      const answer = await this.#options.network.request(peer, blockProtocol, encodeBlockRequest(request), {
        timeoutMs,
        signal,
        answerBytesMax: catchUpAnswerReadBytesMax,
      });
      return { records: decodeBlockAnswer(answer), bytes: answer.length };
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof RangeError) this.#avoid(peer, error.message);
      else if (error instanceof AppError)
        this.#options.logger.debug({ peer, code: error.code }, 'no blocks from a peer');
      else throw error;
      return undefined;
    }
  }

  #avoid(peer: InstitutionId, reason: string): void {
    this.#options.logger.warn({ peer, code: 'PEER_MISBEHAVED', reason }, 'a peer sent wrong blocks');
    this.#heights.delete(peer);
    this.#avoided.set(peer, this.#options.clock.now() + lyingPeerMs);
  }
}
