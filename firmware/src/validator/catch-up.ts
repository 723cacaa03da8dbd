/**
 * Final blocks from peers, for a box that is behind: verified by certificate, hash links and state roots, so that a
 * peer which lies costs only itself; or a snapshot, where the blocks of the others do not reach back so far. And single
 * blocks by digest that a certificate names and the box lacks. What was taken is on disk: a crash goes on from there.
 */
import { faultsTolerated } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { blockDigest } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger } from '../ports.ts';
import type { CatchUpPeers, PeerAnswer } from './catch-up-peers.ts';
import type { CertifiedBlocks } from './certified-blocks.ts';
import { keyOf } from './final-chain.ts';
import type { BlockAnswer, BlockRequest, FinalRecord } from './final-records.ts';
import { decodeBlockAnswer, encodeBlockRequest } from './final-records.ts';
import {
  blockRequestMs,
  blocksAskedMax,
  catchUpAnswerBytesMax,
  catchUpAnswerReadBytesMax,
  catchUpBlocksMax,
  catchUpPendingBytesMax,
  catchUpRequestMs,
  catchUpRetryMs,
  snapshotBlocksMin,
} from './limits.ts';

export const blockProtocol = '/hilum/blocks/1';

export interface CatchUpOptions {
  readonly peers: CatchUpPeers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly headHeight: () => number;
  /** Boxes of the current epoch: of those that claim a height, so many may lie. */
  readonly validators: () => number;
  /**
   * Verifies and adds them. `wrong`: they are not what the certificate claims, or it is no certificate. `taken-out`: a
   * restart order leaves them out, of which their sender need not know. Undefined: the box stops.
   */
  readonly apply: (blocks: CertifiedBlocks) => Promise<'applied' | 'wrong' | 'taken-out' | undefined>;
  /** Takes a snapshot that is ahead of this box. False if none can be had. */
  readonly takeSnapshot: (signal: AbortSignal) => Promise<boolean>;
  /** True: nobody who answers can bring this box forward. False: it has come forward since. */
  readonly stranded: (isStranded: boolean) => void;
  /** True while a block is known to be final that the box does not have. */
  readonly isMissingFinal: () => boolean;
  /** False if it lacks the transactions that its header names. */
  readonly gotBlock: (block: Block) => boolean;
  /** The disk failed, or what a quorum made final does not execute here. */
  readonly failed: (fault: AppError) => void;
}

/** How far a box has come that catches up by blocks. */
export interface BlockProgress {
  /** Height from which it began, and at which it is. */
  readonly from: number;
  readonly height: number;
  /** What more peers claim than could lie. */
  readonly target: number;
  /** UTC milliseconds. */
  readonly since: number;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #abort = new AbortController();
  readonly #asked = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;
  /** Its head when nobody had what it lacks; undefined while that is no alarm. */
  #strandedAt: number | undefined;
  #began: { readonly from: number; readonly since: number } | undefined;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new AppError('PEER_UNREACHABLE', 'catching up ends: the box stops'));
    await Promise.all([this.#running, ...this.#asked.values()]);
  }

  /** Undefined while it is not behind. */
  get progress(): BlockProgress | undefined {
    if (this.#began === undefined) return undefined;
    const height = this.#options.headHeight();
    return { ...this.#began, height, target: Math.max(this.#believedHeight, height) };
  }

  peerIsAt(peer: InstitutionId, height: number): void {
    this.#options.peers.isAt(peer, height);
    this.look();
  }

  /** Begins to catch up if the box is behind and does not do so already. */
  look(): void {
    if (this.#strandedAt !== undefined && this.#options.headHeight() > this.#strandedAt)
      this.#isStranded(false);
    if (this.#running !== undefined || this.#abort.signal.aborted || !this.#isBehind()) return;
    this.#began = { from: this.#options.headHeight(), since: this.#options.clock.now() };
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        this.#options.failed(error);
      })
      .finally(() => {
        this.#running = undefined;
        this.#began = undefined;
      });
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

  /** Up to where the ledger reaches for certain: one of f+1 that say so is as it should be. */
  get #believedHeight(): number {
    const { peers, validators } = this.#options;
    return peers.heights()[faultsTolerated(validators())] ?? 0;
  }

  #isStranded(isStranded: boolean): void {
    this.#strandedAt = isStranded ? this.#options.headHeight() : undefined;
    this.#options.stranded(isStranded);
  }

  #isBehind(): boolean {
    const own = this.#options.headHeight();
    return this.#options.isMissingFinal() || (this.#options.peers.heights()[0] ?? 0) > own;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { headHeight, peers, clock, takeSnapshot } = this.#options;
    // Nothing that stands in blocks before it came concerns a new box: it need not execute them.
    const isNew = headHeight() === 0 && (peers.heights()[0] ?? 0) >= snapshotBlocksMin;
    if (isNew) await takeSnapshot(signal);
    while (this.#isBehind() && !signal.aborted) {
      const before = headHeight();
      /** Who has dropped the next block, and which is the oldest there. */
      const oldest = new Map<InstitutionId, number>();
      for await (const answered of this.#answers(() => peers.inOrder(), before + 1)) {
        const first = await this.#followPeer(answered, before + 1);
        if (first !== undefined) oldest.set(answered.peer, first);
        if (headHeight() > before) this.#isStranded(false);
        if (!this.#isBehind() || signal.aborted) return;
        // What others are asked for lies below this box's head by now.
        if (headHeight() > before) break;
      }
      if (headHeight() > before) continue;
      if (oldest.size > 0) {
        const isTaken = await takeSnapshot(signal);
        if (signal.aborted) return;
        if (isTaken) {
          this.#isStranded(false);
          continue;
        }
        this.#nobodyHas(oldest);
      }
      // Nobody could help: whoever claimed to be ahead must say so again; what is missing is asked for again soon.
      peers.forgetHeights();
      if (!this.#options.isMissingFinal()) return;
      await clock.sleep(catchUpRetryMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason;
      });
    }
  }

  /** Neither blocks nor a snapshot: where the ledger is known to reach so far, that is for an administrator. */
  #nobodyHas(oldest: ReadonlyMap<InstitutionId, number>): void {
    const { peers } = this.#options;
    // Where too few have spoken for one of them to be as he should, nobody is known to lie.
    if (peers.heights().length <= faultsTolerated(this.#options.validators())) return;
    const believed = this.#believedHeight;
    for (const [peer, first] of oldest) {
      if (first <= believed) this.#isStranded(true);
      else peers.lied(peer, 'an oldest block beyond the height that others say');
    }
  }

  /** What these peers have from this height on: who does not answer in time is not waited for. */
  #answers(peers: () => readonly InstitutionId[], from: number): AsyncGenerator<PeerAnswer, void> {
    const body = encodeBlockRequest({ from });
    return this.#options.peers.answers(peers, blockProtocol, body, {
      timeoutMs: catchUpRequestMs,
      signal: this.#abort.signal,
      answerBytesMax: catchUpAnswerReadBytesMax,
    });
  }

  /**
   * Takes the blocks of a peer's answer. It is asked for further ones itself only where no certificate is among them that
   * makes them final: for all else the others are asked too, so that nobody who falls silent is waited for long. The
   * height of its oldest block if it has the next one no more. `asked`: from which height on it was asked first.
   */
  async #followPeer(
    { peer, claimed: claimedFirst, answer: firstAnswer }: PeerAnswer,
    asked: number,
  ): Promise<number | undefined> {
    const { headHeight, apply, logger, peers } = this.#options;
    const pending: FinalRecord[] = [];
    let pendingBytes = 0;
    let from = asked;
    let claimed = claimedFirst;
    let answer = this.#decoded(peer, firstAnswer);
    for (;;) {
      if (answer === undefined) return undefined;
      const { records, first } = answer;
      if (records.some(({ block }, index) => block.header.height !== from + index)) {
        peers.lied(peer, 'blocks of other heights');
        return undefined;
      }
      if (records.length === 0) {
        if (first > from) return first;
        if (claimed >= from) peers.lied(peer, 'a height at which it has no block');
        return undefined;
      }
      if (isShort(answer, claimed)) peers.gaveLittle(peer);
      pending.push(...records);
      pendingBytes += answer.bytes;
      const certified = pending.findLastIndex(({ certificate }) => certificate !== null) + 1;
      if (certified > 0 || pendingBytes > catchUpPendingBytesMax) {
        const outcome = certified === 0 ? 'wrong' : await apply(pending.slice(0, certified));
        if (outcome === 'wrong') peers.lied(peer, 'blocks that do not verify');
        if (outcome !== 'applied') return undefined;
        logger.info({ peer, height: headHeight() }, 'caught up by blocks of a peer');
        return undefined;
      }
      claimed = peers.heightOf(peer);
      from += records.length;
      answer = await this.#request(peer, { from }, catchUpRequestMs);
    }
  }

  async #askInTurn(digest: Uint8Array): Promise<void> {
    const { peers, gotBlock } = this.#options;
    for (const peer of peers.inOrder()) {
      const answer = await this.#request(peer, { digest }, blockRequestMs);
      const block = answer?.records[0]?.block;
      if (block === undefined) continue;
      if (equalBytes(blockDigest(block.header), digest) && gotBlock(block)) return;
      peers.lied(peer, 'another block than the one asked for');
    }
  }

  /** Undefined if there is no usable answer. */
  async #request(
    peer: InstitutionId,
    request: BlockRequest,
    timeoutMs: number,
  ): Promise<(BlockAnswer & { readonly bytes: number }) | undefined> {
    const { peers } = this.#options;
    const { signal } = this.#abort;
    const options = { timeoutMs, signal, answerBytesMax: catchUpAnswerReadBytesMax };
    const answer = await peers.ask(peer, blockProtocol, encodeBlockRequest(request), options);
    return answer === undefined || signal.aborted ? undefined : this.#decoded(peer, answer);
  }

  #decoded(peer: InstitutionId, answer: Uint8Array): (BlockAnswer & { readonly bytes: number }) | undefined {
    const { peers } = this.#options;
    try {
      return { ...decodeBlockAnswer(answer), bytes: answer.length };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      peers.lied(peer, error.message);
      return undefined;
    }
  }
}

/**
 * Whether it ends before what the peer claimed to have, with room for more. Who gives a true block at a time would
 * otherwise be asked first for ever, as the quickest and the highest, and a box behind it never arrive.
 */
function isShort({ records, bytes }: BlockAnswer & { readonly bytes: number }, claimed: number): boolean {
  const last = records.at(-1)?.block.header.height ?? 0;
  return last < claimed && records.length < catchUpBlocksMax && bytes < catchUpAnswerBytesMax;
}
