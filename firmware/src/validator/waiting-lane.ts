/**
 * Transactions that wait, shared fairly among the institutions that brought them. Room: who holds the most gives way to
 * who holds less, as in fair buffer sharing by longest-queue drop. Order: who has been served the fewest bytes is next,
 * as in start-time fair queueing (Goyal, Vin, Cheng 1996), so that neither many small transactions nor a few large ones
 * of one institution hold up those of another.
 */
import type { Transaction, TransactionId } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';

export interface WaitingTransaction {
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  readonly transaction: Transaction;
  /** When it came, UTC milliseconds. */
  readonly since: number;
  /** False while it builds on something that is not final yet: no reason for a block by itself. */
  ready: boolean;
  /** When it was judged last, UTC milliseconds. */
  judgedAt: number;
}

/** Of everybody together, and of one institution alone. */
export interface LaneBounds {
  readonly transactionsMax: number;
  readonly bytesMax: number;
  readonly institutionTransactionsMax: number;
  readonly institutionBytesMax: number;
}

interface Queue {
  /** In the order in which they came, those that were tried in vain behind. */
  readonly waiting: Map<TransactionId, WaitingTransaction>;
  bytes: number;
  /**
   * Virtual time: bytes that this box has put into blocks, or tried in vain, from where the least served one stood when this
   * queue began.
   */
  served: number;
}

export class WaitingLane {
  readonly #bounds: LaneBounds;
  /** Whose transactions never give way: those who submitted them at this box wait for an answer. */
  readonly #self: InstitutionId;
  readonly #queues = new Map<InstitutionId, Queue>();
  readonly #bringers = new Map<TransactionId, Set<InstitutionId>>();
  /** A transaction that several brought is counted for each of them: otherwise one could hide behind another. */
  #transactions = 0;
  #bytes = 0;
  /** Where the least served of those stood who last waited for more: one that begins has no claim on what was before. */
  #servedLeast = 0;
  /** Of institutions without a queue that were served more than that: going away and coming back gains nothing. */
  readonly #ahead = new Map<InstitutionId, number>();

  constructor(self: InstitutionId, bounds: LaneBounds) {
    this.#self = self;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#bringers.size;
  }

  get(id: TransactionId): WaitingTransaction | undefined {
    for (const bringer of this.#bringers.get(id) ?? []) return this.#queues.get(bringer)?.waiting.get(id);
    return undefined;
  }

  isBroughtBy(id: TransactionId, institution: InstitutionId): boolean {
    return this.#bringers.get(id)?.has(institution) === true;
  }

  /** How many of those that this institution brought are such. */
  countOf(institution: InstitutionId, isSuch: (transaction: Transaction) => boolean): number {
    const waiting = this.#queues.get(institution)?.waiting.values() ?? [];
    return [...waiting].filter(({ transaction }) => isSuch(transaction)).length;
  }

  *values(): Iterable<WaitingTransaction> {
    for (const id of this.#bringers.keys()) {
      const waiting = this.get(id);
      if (waiting !== undefined) yield waiting;
    }
  }

  /** True if there is room for so many bytes of this institution, or others hold more than it would. */
  hasRoom(from: InstitutionId, bytes: number): boolean {
    const queue = this.#queues.get(from);
    const { institutionTransactionsMax, institutionBytesMax } = this.#bounds;
    if ((queue?.waiting.size ?? 0) >= institutionTransactionsMax) return false;
    if ((queue?.bytes ?? 0) + bytes > institutionBytesMax) return false;
    return this.#fits(bytes) || this.#greatest(this.#shareWith(from, bytes)) !== undefined;
  }

  /**
   * Adds it in the name of the institution that brought it, in addition to those who did before. False if there is no
   * room: nothing has changed then for those who hold no more than it would.
   */
  add(from: InstitutionId, waiting: WaitingTransaction): boolean {
    const { id, bytes } = waiting;
    if (!this.hasRoom(from, bytes.length)) return false;
    while (!this.#fits(bytes.length)) {
      const greatest = this.#greatest(this.#shareWith(from, bytes.length));
      if (greatest === undefined) return false;
      this.#dropNewest(greatest);
    }
    const queue = this.#queues.get(from) ?? this.#begin(from);
    queue.waiting.set(id, waiting);
    queue.bytes += bytes.length;
    this.#transactions++;
    this.#bytes += bytes.length;
    const bringers = this.#bringers.get(id) ?? new Set();
    this.#bringers.set(id, bringers.add(from));
    return true;
  }

  remove(id: TransactionId): void {
    for (const bringer of [...(this.#bringers.get(id) ?? [])]) this.#take(bringer, id);
  }

  /**
   * It had a place in a block and did not apply: that was a turn of those who brought it too. Else what can never apply
   * would always be next, since it is never served. It goes behind what the same institution brought after it.
   */
  tried(id: TransactionId): void {
    for (const bringer of this.#bringers.get(id) ?? []) {
      const queue = this.#queues.get(bringer);
      const waiting = queue?.waiting.get(id);
      if (queue === undefined || waiting === undefined) continue;
      queue.served += waiting.bytes.length;
      queue.waiting.delete(id);
      queue.waiting.set(id, waiting);
    }
  }

  /** It has become final in a block of this box: those who brought it have had their turn. */
  served(id: TransactionId): void {
    this.tried(id);
    this.remove(id);
  }

  /**
   * This box has built a block, and these had a place in it or in one before it. Who had a place for all that he brought
   * waits for nothing: he has no claim on what others were served meanwhile, and they have none on him.
   */
  built(placed: ReadonlySet<TransactionId>): void {
    const queues = [...this.#queues.values()];
    const waits = ({ waiting }: Queue): boolean => [...waiting.keys()].some((id) => !placed.has(id));
    const behind = queues.filter(waits).map(({ served }) => served);
    const all = [...queues.map(({ served }) => served), ...this.#ahead.values()];
    this.#servedLeast = Math.max(
      this.#servedLeast,
      behind.length > 0 ? Math.min(...behind) : Math.max(0, ...all),
    );
    for (const queue of queues) {
      if (!waits(queue)) queue.served = Math.max(queue.served, this.#servedLeast);
    }
    for (const [institution, served] of this.#ahead)
      if (served <= this.#servedLeast) this.#ahead.delete(institution);
  }

  /** At most so many of those that are not left out, in the order of their turns; each institution's as they came. */
  inTurn(countMax: number, leftOut: ReadonlySet<TransactionId> = new Set()): WaitingTransaction[] {
    const ordered: WaitingTransaction[] = [];
    const chosen = new Set<TransactionId>();
    const turns = [...this.#queues.values()].map(({ served, waiting }) => ({
      served,
      rest: [...waiting.values()].reverse(),
    }));
    while (ordered.length < countMax && turns.length > 0) {
      const turn = turns.reduce((least, other) => (other.served < least.served ? other : least));
      const next = turn.rest.pop();
      if (next === undefined) {
        turns.splice(turns.indexOf(turn), 1);
      } else if (!leftOut.has(next.id) && !chosen.has(next.id)) {
        chosen.add(next.id);
        ordered.push(next);
        turn.served += next.bytes.length;
      }
    }
    return ordered;
  }

  #fits(bytes: number): boolean {
    const { transactionsMax, bytesMax } = this.#bounds;
    return this.#transactions < transactionsMax && this.#bytes + bytes <= bytesMax;
  }

  /** Part of the room, by what it uses more of: places or bytes. */
  #share(transactions: number, bytes: number): number {
    return Math.max(transactions / this.#bounds.transactionsMax, bytes / this.#bounds.bytesMax);
  }

  #shareWith(from: InstitutionId, bytes: number): number {
    const queue = this.#queues.get(from);
    return this.#share((queue?.waiting.size ?? 0) + 1, (queue?.bytes ?? 0) + bytes);
  }

  /** Who holds the most, if that is more than this share. */
  #greatest(share: number): InstitutionId | undefined {
    let greatest: InstitutionId | undefined;
    let most = share;
    for (const [institution, { waiting, bytes }] of this.#queues) {
      const held = this.#share(waiting.size, bytes);
      if (institution === this.#self || held <= most) continue;
      greatest = institution;
      most = held;
    }
    return greatest;
  }

  #dropNewest(institution: InstitutionId): void {
    const newest = [...(this.#queues.get(institution)?.waiting.keys() ?? [])].at(-1);
    if (newest !== undefined) this.#take(institution, newest);
  }

  #begin(institution: InstitutionId): Queue {
    const served = this.#ahead.get(institution) ?? this.#servedLeast;
    this.#ahead.delete(institution);
    const queue: Queue = { waiting: new Map(), bytes: 0, served };
    this.#queues.set(institution, queue);
    return queue;
  }

  #take(institution: InstitutionId, id: TransactionId): void {
    const queue = this.#queues.get(institution);
    const waiting = queue?.waiting.get(id);
    if (queue === undefined || waiting === undefined) return;
    queue.waiting.delete(id);
    queue.bytes -= waiting.bytes.length;
    this.#transactions--;
    this.#bytes -= waiting.bytes.length;
    const bringers = this.#bringers.get(id);
    bringers?.delete(institution);
    if (bringers?.size === 0) this.#bringers.delete(id);
    if (queue.waiting.size > 0) return;
    this.#queues.delete(institution);
    if (queue.served > this.#servedLeast) this.#ahead.set(institution, queue.served);
  }
}
