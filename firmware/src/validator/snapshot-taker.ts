/**
 * Fetches a snapshot from peers, for a box that is new or further behind than the blocks of others reach back. First the
 * way: handover after handover from the epoch that this box knows to the one that the snapshot ends. Then the chunks,
 * each proved under that epoch's last state root when it comes. Handovers and chunks stay on disk, so that a crash or
 * another peer costs nothing that was fetched; a peer that lies costs the one answer in which it did, or, where it divided
 * the state otherwise than all others, what it gave.
 */
import { equalBytes } from '../encoding/bytes.ts';
import type { Handover } from '../handover/handover.ts';
import { decodeHandover } from '../handover/handover.ts';
import { handoverBytesMax } from '../handover/limits.ts';
import { verifyHandover } from '../handover/verify.ts';
import type { StateAnchor, VerifyIdentity } from '../ledger/index.ts';
import { blockDigest, transactionsRoot, verifyStateRange } from '../ledger/index.ts';
import type { EpochRecord } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger, VerifySignature } from '../ports.ts';
import type { AskOptions, CatchUpPeers } from './catch-up-peers.ts';
import type { FinalChain } from './final-chain.ts';
import type { FinalRecord } from './final-records.ts';
import { decodeFinalRecord } from './final-records.ts';
import { encodeHandoverRequest } from './handover-request.ts';
import type { Handovers } from './handovers.ts';
import { handoverProtocol } from './handovers.ts';
import {
  catchUpRequestMs,
  handoverRequestMs,
  snapshotAnswerBytesMax,
  snapshotOfferBytesMax,
} from './limits.ts';
import type { SnapshotOffer } from './snapshot-records.ts';
import { decodeRange, decodeSnapshotOffer, encodeSnapshotRequest } from './snapshot-records.ts';
import { snapshotProtocol } from './snapshot-server.ts';
import type { Snapshots } from './snapshots.ts';

export interface SnapshotTakerOptions {
  readonly chain: FinalChain;
  readonly snapshots: Snapshots;
  readonly handovers: Pick<Handovers, 'completed' | 'adopt'>;
  readonly peers: CatchUpPeers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  readonly verifyIdentity: VerifyIdentity;
  /** Puts the complete snapshot of this epoch in the place of all blocks. */
  readonly install: (epoch: number) => Promise<void>;
}

/** How far the fetch has come, in records. */
export interface SnapshotProgress {
  /** At which record it began, or went on, and at which it is. */
  readonly from: number;
  readonly records: number;
  /** As the peer says that offers it. */
  readonly of: number;
  /** UTC milliseconds. */
  readonly since: number;
}

/** A chunk that was proved, and where the next one begins. */
interface Chunk {
  readonly answer: Uint8Array;
  readonly anchor: StateAnchor;
  readonly isEnd: boolean;
}

/** What a peer's answer is worth: used, not there, or a lie. */
type Use = 'used' | 'nothing' | { readonly lie: string };

export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions;
  #progress: SnapshotProgress | undefined;

  constructor(options: SnapshotTakerOptions) {
    this.#options = options;
  }

  /** Undefined while none is being fetched. */
  get progress(): SnapshotProgress | undefined {
    return this.#progress;
  }

  /**
   * Takes the newest snapshot that can be had and proved. False: there is none ahead of this box, or it could not be
   * completed now; what was fetched stays. @throws AppError STORE_CORRUPT, STORE_FAILED.
   */
  async take(signal: AbortSignal): Promise<boolean> {
    try {
      for (const offer of await this.#offers(signal)) {
        const handover = await this.#wayTo(offer.epoch, signal);
        if (handover === undefined || !(await this.#fetch(offer, handover, signal))) continue;
        await this.#options.install(offer.epoch);
        return true;
      }
      return false;
    } finally {
      this.#progress = undefined;
    }
  }

  /** The fetch that is under way first, then the newest. */
  async #offers(signal: AbortSignal): Promise<SnapshotOffer[]> {
    const own = this.#options.chain.state.epoch().number;
    const underWay = await this.#options.snapshots.fetched();
    const offers = new Map<number, SnapshotOffer>();
    await this.#askEach(
      encodeSnapshotRequest({ newest: null }),
      snapshotProtocol,
      { signal, answerBytesMax: snapshotOfferBytesMax, timeoutMs: handoverRequestMs },
      (answer) => {
        const offer = decodeSnapshotOffer(answer);
        if (offer.epoch >= own) offers.set(offer.epoch, offer);
        // Others may have a newer one.
        return Promise.resolve('nothing');
      },
    );
    const newest = [...offers.values()].sort((a, b) => b.epoch - a.epoch);
    if (underWay === undefined || underWay.epoch < own) return newest;
    // Peers keep the last but one too, also where they offer the newest.
    const { epoch, records, block } = underWay;
    const { height } = block.block.header;
    return [
      offers.get(epoch) ?? { epoch, height, records },
      ...newest.filter((offer) => offer.epoch !== epoch),
    ];
  }

  /** The handover at the end of this epoch, after all those before it; undefined if one cannot be had. */
  async #wayTo(epoch: number, signal: AbortSignal): Promise<Handover | undefined> {
    const { chain } = this.#options;
    let from: EpochRecord = chain.state.epoch();
    for (;;) {
      const step = await this.#handover(from, signal);
      if (step === undefined || from.number === epoch) return step?.handover;
      from = step.next;
    }
  }

  async #handover(
    from: EpochRecord,
    signal: AbortSignal,
  ): Promise<{ readonly handover: Handover; readonly next: EpochRecord } | undefined> {
    const { handovers } = this.#options;
    const kept = await handovers.completed(from.number);
    if (kept !== undefined) {
      const known = this.#verified(from, decodeHandover(new Uint8Array(kept)));
      if (typeof known !== 'string') return known;
    }
    let found: { readonly handover: Handover; readonly next: EpochRecord } | undefined;
    await this.#askEach(
      encodeHandoverRequest(from.number),
      handoverProtocol,
      { signal, answerBytesMax: handoverBytesMax, timeoutMs: handoverRequestMs },
      async (answer) => {
        const verified = this.#verified(from, decodeHandover(answer));
        if (typeof verified === 'string') return { lie: `a handover that is ${verified}` };
        await handovers.adopt(from.number, verified.handover);
        found = verified;
        return 'used';
      },
    );
    return found;
  }

  #verified(
    from: EpochRecord,
    handover: Handover,
  ): { readonly handover: Handover; readonly next: EpochRecord } | string {
    const { chain, verify, verifyIdentity } = this.#options;
    const verified = verifyHandover(chain.state.chain, from, handover, { verify, verifyIdentity });
    return verified.kind === 'verified' ? { handover, next: verified.next } : verified.reason;
  }

  /**
   * True when all of it is on disk. Where chunks end proves nothing: who has cut one short gives true entries, and yet no
   * chunk of an honest box follows. So whoever gave the last chunk is asked first, and what another has is not taken for
   * a lie before its own beginning was looked at.
   */
  async #fetch(offer: SnapshotOffer, handover: Handover, signal: AbortSignal): Promise<boolean> {
    const { snapshots, logger, clock } = this.#options;
    const { epoch } = offer;
    const since = clock.now();
    const underWay = await snapshots.fetched();
    let block = underWay?.epoch === epoch ? underWay.block : undefined;
    let records = block === undefined ? 0 : (underWay?.records ?? 0);
    let anchor = block === undefined ? undefined : underWay?.anchor;
    let giver: InstitutionId | undefined;
    const begunAnew = new Set<InstitutionId>();
    const from = records;
    logger.info({ epoch, height: handover.header.height, records }, 'a snapshot of the ledger is fetched');
    for (let isEnd = false; !isEnd;) {
      this.#progress = { from, records, of: Math.max(offer.records, records), since };
      const isUsed = await this.#askEach(
        encodeSnapshotRequest({ epoch, record: records }),
        snapshotProtocol,
        { signal, answerBytesMax: snapshotAnswerBytesMax, timeoutMs: catchUpRequestMs },
        async (answer, peer) => {
          if (block === undefined) {
            const record = decodeFinalRecord(answer);
            if (!isBlockOf(record, handover))
              return { lie: 'another block than the one that closed the epoch' };
            block = { block: record.block, certificate: handover.certificate };
            await snapshots.begin(epoch, block);
            records = 1;
            return 'used';
          }
          let chunk = this.#chunk(handover, anchor, answer);
          if (chunk === undefined && anchor !== undefined && giver !== peer && !begunAnew.has(peer)) {
            begunAnew.add(peer);
            chunk = await this.#firstChunk(epoch, handover, peer, signal);
            if (signal.aborted) return 'nothing';
            if (chunk !== undefined) {
              logger.info({ epoch, peer }, 'a snapshot is fetched anew: boxes divide it otherwise');
              await snapshots.begin(epoch, block);
              records = 1;
            }
          }
          if (chunk === undefined) return { lie: 'a chunk that is not of the state' };
          await snapshots.add(epoch, chunk.answer, chunk.isEnd);
          ({ anchor, isEnd } = chunk);
          records++;
          giver = peer;
          return 'used';
        },
        giver,
      );
      if (!isUsed) return false;
    }
    return true;
  }

  /** Undefined: it does not follow that entry in the state, or is not as long as all boxes make them. */
  #chunk(handover: Handover, anchor: StateAnchor | undefined, answer: Uint8Array): Chunk | undefined {
    const range = decodeRange(answer);
    const verified = verifyStateRange(handover.header.stateRoot, anchor, range);
    if (verified.kind === 'refused' || !this.#options.snapshots.isOfSize(range)) return undefined;
    return { answer, anchor: verified.last, isEnd: verified.isEnd };
  }

  /** What this peer begins the state with; undefined if that is not its beginning. */
  async #firstChunk(
    epoch: number,
    handover: Handover,
    peer: InstitutionId,
    signal: AbortSignal,
  ): Promise<Chunk | undefined> {
    const answer = await this.#options.peers.ask(
      peer,
      snapshotProtocol,
      encodeSnapshotRequest({ epoch, record: 1 }),
      { signal, answerBytesMax: snapshotAnswerBytesMax, timeoutMs: catchUpRequestMs },
    );
    return answer === undefined || answer.length === 0 ? undefined : this.#chunk(handover, undefined, answer);
  }

  /** The peers in turn, one of them first if it is named, until an answer is of use. */
  async #askEach(
    body: Uint8Array,
    protocol: string,
    options: AskOptions,
    use: (answer: Uint8Array, peer: InstitutionId) => Promise<Use>,
    first?: InstitutionId,
  ): Promise<boolean> {
    const { peers } = this.#options;
    const ordered = (): InstitutionId[] => {
      const inOrder = peers.inOrder();
      const preferred = inOrder.filter((peer) => peer === first);
      return [...preferred, ...inOrder.filter((other) => other !== first)];
    };
    for await (const { peer, answer } of peers.answers(ordered, protocol, body, options)) {
      if (options.signal.aborted) return false;
      if (answer.length === 0) continue;
      const outcome = await used(answer, (bytes) => use(bytes, peer));
      if (outcome === 'used') return true;
      if (outcome !== 'nothing') peers.lied(peer, outcome.lie);
    }
    return false;
  }
}

/** What does not decode is a lie too. */
async function used(answer: Uint8Array, use: (answer: Uint8Array) => Promise<Use>): Promise<Use> {
  try {
    return await use(answer);
  } catch (error) {
    if (error instanceof RangeError) return { lie: error.message };
    throw error;
  }
}

function isBlockOf({ block }: FinalRecord, { header }: Handover): boolean {
  return (
    equalBytes(blockDigest(block.header), blockDigest(header)) &&
    equalBytes(transactionsRoot(block.transactions), header.transactionsRoot)
  );
}
