/**
 * Looks after the receipts that this source has signed. One that is open longer than a study takes, or whose basis has
 * ended, is an alarm (PROTOCOL.md, "Grant, revocation, receipts"): nobody has confirmed what left. It drops the sessions
 * that serve no more: a crash between the ledger's word and the store leaves one, and so does a receipt that the ledger
 * refused. All it goes by is on disk and on the ledger, so that a restart finds what was found before.
 */
import { toBasisId, toOpenId } from '../ledger/ids.ts';
import type { OpenId } from '../ledger/types.ts';
import type { Clock, HealthBoard, InstitutionId, Ledger, Logger, Service, Timer } from '../ports.ts';
import { basisInWords } from './basis-words.ts';
import {
  looksOfRoundMax,
  receiptGivenUpMs,
  receiptOpenMsMax,
  receiptsLookedAtMax,
  receiptsLookMs,
} from './limits.ts';
import type { OpenSession, OpenSessions } from './open-sessions.ts';

export interface ReceiptWatchOptions {
  readonly ledger: Pick<Ledger, 'head' | 'state'>;
  readonly sessions: OpenSessions;
  readonly health: HealthBoard;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `useless`: there will be nothing more to stream under it, or to close. */
type Finding = 'fine' | 'overdue' | 'useless';

interface Round {
  readonly iterator: MapIterator<OpenSession>;
  /** What comes while it runs waits for the next one: else those who bring more and more would keep it from ending. */
  left: number;
  /** So many that all have their turn within an hour, however many there are. */
  readonly atATime: number;
}

const roundOf = (sessions: OpenSessions): Round => ({
  iterator: sessions.all(),
  left: sessions.size,
  atATime: Math.max(receiptsLookedAtMax, Math.ceil(sessions.size / looksOfRoundMax)),
});

export class ReceiptWatch implements Service {
  readonly #options: ReceiptWatchOptions;
  readonly #overdue = new Map<OpenId, OpenSession>();
  /** Members of which there is an alarm. */
  #alarmed: ReadonlySet<InstitutionId> = new Set();
  /** The round that is under way, through the sessions that were there when it began. */
  #round: Round;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ReceiptWatchOptions) {
    this.#options = options;
    this.#round = roundOf(options.sessions);
  }

  async start(): Promise<void> {
    this.#setTimer();
    await this.#lookNext();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
  }

  #setTimer(): void {
    this.#timer = this.#options.clock.setTimer(receiptsLookMs, () => {
      this.#setTimer();
      void this.#lookNext();
    });
  }

  /** One at a time. What a full disk keeps from being dropped is dropped by a later look. */
  #lookNext(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#options.logger.error({ error }, 'looking after receipts failed');
      });
    return this.#looking;
  }

  /** The next ones of the round, so many that a look stays short however many there are. */
  async #look(): Promise<void> {
    const { sessions } = this.#options;
    for (let looked = 0; looked < this.#round.atATime; looked++) {
      const next = this.#round.left > 0 ? this.#round.iterator.next() : undefined;
      if (next === undefined || next.done === true) {
        this.#round = roundOf(sessions);
        break;
      }
      this.#round.left -= 1;
      const id = toOpenId(next.value.openId);
      const finding = this.#judge(id, next.value);
      if (finding === 'overdue') this.#overdue.set(id, next.value);
      else this.#overdue.delete(id);
      if (finding === 'useless') await sessions.delete(id);
    }
    this.#tell();
  }

  #judge(id: OpenId, session: OpenSession): Finding {
    const { ledger, clock } = this.#options;
    const state = ledger.state();
    const record = state.openById(id);
    // Until then it may still become final: also when this box has not heard of it for a while.
    if (record === undefined) return session.validUntil < ledger.head().time ? 'useless' : 'fine';
    if (record.closed !== null) return 'useless';
    const openMs = clock.now() - record.openedAt;
    const hasEnded = state.basisRefusal(toBasisId(session.grantId), clock.now()) !== undefined;
    if (hasEnded && openMs > receiptGivenUpMs) return 'useless';
    // A patient who took back before the first byte: there is nothing that the member could confirm. What stands again
    // later (a study that was frozen) may be streamed then.
    if (hasEnded && !session.streamed) return 'fine';
    return hasEnded || openMs > receiptOpenMsMax ? 'overdue' : 'fine';
  }

  /** One alarm for each member, however many receipts it leaves open. */
  #tell(): void {
    const { sessions, health, ledger } = this.#options;
    for (const id of this.#overdue.keys()) if (sessions.get(id) === undefined) this.#overdue.delete(id);
    const ofMembers = Map.groupBy(this.#overdue.values(), ({ institution }) => institution);
    for (const member of this.#alarmed) if (!ofMembers.has(member)) health.clear('RECEIPT_OPEN', member);
    for (const [member, open] of ofMembers) {
      const bases = open.slice(0, 1).map(({ grantId }) => basisInWords(ledger.state(), toBasisId(grantId)));
      health.raise(
        'RECEIPT_OPEN',
        member,
        `Releases that it has not confirmed: ${open.length}. The first: ${bases.join()}.`,
      );
    }
    this.#alarmed = new Set(ofMembers.keys());
  }
}
