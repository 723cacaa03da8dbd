/**
 * Whom a box that is behind asks: the connected peers, without those that lied or left it waiting, the slow ones last.
 * So a peer that lies or stalls costs one answer, now and then, and never the way forward.
 */
import { AppError } from '../errors.ts';
import type { Clock, InstitutionId, Logger, Network } from '../ports.ts';
import { askedAtOnceMax, lyingPeerMs, slowAnswerMs } from './limits.ts';

export interface CatchUpPeersOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly answerBytesMax: number;
}

interface Asked {
  readonly peer: InstitutionId;
  /** Height that it claimed when it was asked. */
  readonly claimed: number;
  readonly answer: Uint8Array | undefined;
}

export interface PeerAnswer extends Asked {
  readonly answer: Uint8Array;
}

export class CatchUpPeers {
  readonly #options: CatchUpPeersOptions;
  /** What peers said of their height, never believed without proof. */
  readonly #heights = new Map<InstitutionId, number>();
  /** Peers not to be asked until then, UTC milliseconds. */
  readonly #avoided = new Map<InstitutionId, number>();
  /** Peers whose last answer was slow, with the milliseconds that it took, or gave less than it could have. */
  readonly #slow = new Map<InstitutionId, number>();

  constructor(options: CatchUpPeersOptions) {
    this.#options = options;
  }

  isAt(peer: InstitutionId, height: number): void {
    this.#heights.set(peer, height);
  }

  /** What the peer said last; 0 if it said nothing, or was found out. */
  heightOf(peer: InstitutionId): number {
    return this.#heights.get(peer) ?? 0;
  }

  /** What peers that are not avoided say, the highest first. */
  heights(): number[] {
    return [...this.#heights]
      .filter(([peer]) => !this.#isAvoided(peer))
      .map(([, height]) => height)
      .sort((a, b) => b - a);
  }

  /** Nobody could help: whoever claims to be ahead must say so again. */
  forgetHeights(): void {
    this.#heights.clear();
  }

  /** Quick ones first, and of those the highest. */
  inOrder(): InstitutionId[] {
    const slowness = (peer: InstitutionId): number => this.#slow.get(peer) ?? 0;
    return this.#options.network
      .peers()
      .filter(({ institution, connected }) => connected && !this.#isAvoided(institution))
      .map(({ institution }) => institution)
      .sort((a, b) => slowness(a) - slowness(b) || this.heightOf(b) - this.heightOf(a));
  }

  /** Undefined if there is no answer. One that does not come in time counts against the peer; a lost connection does not. */
  async ask(
    peer: InstitutionId,
    protocol: string,
    body: Uint8Array,
    options: AskOptions,
  ): Promise<Uint8Array | undefined> {
    const { network, clock, logger } = this.#options;
    const askedAt = clock.now();
    try {
      const answer = new Uint8Array(await network.request(peer, protocol, body, options));
      const tookMs = clock.now() - askedAt;
      if (tookMs > slowAnswerMs) this.#slow.set(peer, tookMs);
      else this.#slow.delete(peer);
      return answer;
    } catch (error) {
      if (options.signal.aborted) return undefined;
      if (!(error instanceof AppError)) throw error;
      logger.debug({ peer, code: error.code }, 'no answer from a peer');
      if (error.code === 'PEER_MISBEHAVED') this.lied(peer, error.message);
      else if (clock.now() - askedAt >= options.timeoutMs) this.#avoid(peer, 'no answer in time');
      return undefined;
    }
  }

  /**
   * The answers of these peers as they come, each asked once and in their order: the next one when the one before has
   * failed or was of no use, or has taken long, and then beside it. `peers` is looked at each time, so that one who has
   * connected since need not wait for one who is silent. Whoever takes the answers stops when one is of use; what is under
   * way then is given up.
   */
  async *answers(
    peers: () => readonly InstitutionId[],
    protocol: string,
    body: Uint8Array,
    options: AskOptions,
  ): AsyncGenerator<PeerAnswer, void> {
    const enough = new AbortController();
    const signal = AbortSignal.any([options.signal, enough.signal]);
    const asked = new Map<InstitutionId, Promise<Asked>>();
    /** Of all that were asked. */
    const askedAt = new Map<InstitutionId, number>();
    let isDue = true;
    try {
      while (!signal.aborted) {
        const mayAsk = isDue && asked.size < askedAtOnceMax;
        const peer = mayAsk ? peers().find((each) => !askedAt.has(each)) : undefined;
        if (peer !== undefined) {
          const claimed = this.heightOf(peer);
          askedAt.set(peer, this.#options.clock.now());
          const answer = this.ask(peer, protocol, body, { ...options, signal });
          asked.set(
            peer,
            answer.then((bytes) => ({ peer, claimed, answer: bytes })),
          );
          isDue = false;
        }
        if (asked.size === 0) return;
        const first = await this.#firstOf(asked, asked.size < askedAtOnceMax);
        if (first === undefined) {
          isDue = true;
          continue;
        }
        asked.delete(first.peer);
        if (asked.size === 0) isDue = true;
        const { answer } = first;
        if (answer !== undefined) yield { ...first, answer };
      }
    } finally {
      enough.abort(new AppError('PEER_UNREACHABLE', 'another peer has answered'));
      const now = this.#options.clock.now();
      for (const peer of options.signal.aborted ? [] : asked.keys())
        if (now - (askedAt.get(peer) ?? now) >= slowAnswerMs) this.#avoid(peer, 'others were quicker');
    }
  }

  /** The next of them that ends; undefined if another may be asked and it takes long. */
  async #firstOf(
    asked: ReadonlyMap<InstitutionId, Promise<Asked>>,
    mayAskAnother: boolean,
  ): Promise<Asked | undefined> {
    if (!mayAskAnother) return await Promise.race(asked.values());
    const long = Promise.withResolvers<undefined>();
    const timer = this.#options.clock.setTimer(slowAnswerMs, () => long.resolve(undefined));
    try {
      return await Promise.race([...asked.values(), long.promise]);
    } finally {
      timer.cancel();
    }
  }

  /** It gave less than it could have: it is asked after the others, until it answers as they do. */
  gaveLittle(peer: InstitutionId): void {
    this.#slow.set(peer, Math.max(this.#slow.get(peer) ?? 0, slowAnswerMs));
  }

  /** What it sent is not what it should be. */
  lied(peer: InstitutionId, reason: string): void {
    this.#options.logger.warn(
      { peer, code: 'PEER_MISBEHAVED', reason },
      'a peer sent wrong parts of the ledger',
    );
    this.#avoid(peer, reason);
  }

  #avoid(peer: InstitutionId, reason: string): void {
    this.#options.logger.debug({ peer, reason }, 'a peer is not asked for a while');
    this.#heights.delete(peer);
    this.#avoided.set(peer, this.#options.clock.now() + lyingPeerMs);
  }

  #isAvoided(peer: InstitutionId): boolean {
    return (this.#avoided.get(peer) ?? 0) > this.#options.clock.now();
  }
}
