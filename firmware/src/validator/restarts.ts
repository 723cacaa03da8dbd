/**
 * Restart orders on this box: brought by its administrator or a peer, taken when the box stands at the block that they
 * go on from, said to whoever stands below their floor, and over when a later view is final.
 */
import type { CoreState, Restart } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import { quorum } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Clock, HealthBoard, InstitutionId, KeyValueStore, Logger, VerifySignature } from '../ports.ts';
import { restartViewsMin } from '../restart/limits.ts';
import type { RestartOrder, SignedRestartOrder } from '../restart/restart-order.ts';
import { decodeRestartOrder, encodeRestartOrder, restartMessage } from '../restart/restart-order.ts';
import type { RestartRefusal } from '../restart/verify.ts';
import { verifyRestart } from '../restart/verify.ts';
import type { FinalChain } from './final-chain.ts';
import { standingFreshMs } from './limits.ts';
import type { Place } from './place.ts';
import { isAfter } from './place.ts';

export interface RestartsOptions {
  readonly self: InstitutionId;
  readonly chain: FinalChain;
  /** The keys `restart` and `restart-key`. */
  readonly store: KeyValueStore;
  /** What the administrator has brought. */
  readonly restartOrder?: Uint8Array | undefined;
  /** Called when that order is taken or over. */
  readonly discardRestartOrder?: (() => Promise<void>) | undefined;
  readonly verify: VerifySignature;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

interface Kept {
  readonly order: RestartOrder;
  readonly bytes: Uint8Array;
}

/** Where a peer's newest final block stands, as it said at this time, UTC milliseconds. */
interface Said {
  readonly place: Place;
  readonly at: number;
}

/** `lower`: this box has or awaits one with this floor or a higher one. */
type Judged =
  | ({ readonly kind: 'new' } & Kept)
  | { readonly kind: 'later'; readonly order: RestartOrder }
  | { readonly kind: 'known' | 'over' | 'lower' }
  | { readonly kind: 'no-order' | 'refused'; readonly reason: string };

/** Of this box to the block of an order. */
type Standing = 'before' | 'at' | 'beyond' | 'voted' | 'other-view' | 'over';

const storeKey = 'restart';
/** There while this box still owes the ledger the voting key that its order asks for. */
const owedKey = 'restart-key';
const alarmSubject = 'restart order';

const floorTooLow: RestartRefusal = 'floor-too-low';

export class Restarts {
  readonly #options: RestartsOptions;
  /** Verified, and waiting for the box to reach its block, and for a quorum that stands no further. */
  #waiting: Kept | undefined;
  /** Since when, UTC milliseconds. */
  #waitingSince = 0;
  #taken: Kept | undefined;
  /** Verified, and not taken: what this box has or has said stands against it. */
  #refused: Kept | undefined;
  #owesKey = false;
  /** The order that was taken, once the others have gone on without it. */
  #left: Kept | undefined;
  /** By each peer since this start. */
  readonly #said = new Map<InstitutionId, Said>();
  /** What consensus runs by. */
  #begun: RestartOrder | undefined;
  /** Of the administrator, where it is an order of this consortium. */
  #brought: RestartOrder | undefined;
  /** Of the administrator too, and of an epoch that this box has not reached. */
  #later: Kept | undefined;

  constructor(options: RestartsOptions) {
    this.#options = options;
  }

  /** What was taken in a former life, and what the administrator has brought. @throws AppError STORE_CORRUPT, STORE_FAILED. */
  async load(): Promise<void> {
    await this.#loadTaken();
    const { restartOrder } = this.#options;
    if (restartOrder !== undefined) await this.#takeBrought(restartOrder);
  }

  /** What the administrator has brought waits, is over, or is refused aloud: nobody finds it ignored. */
  async #takeBrought(bytes: Uint8Array): Promise<void> {
    const judged = this.#judge(bytes);
    switch (judged.kind) {
      case 'no-order':
      case 'refused':
        this.#refuse(`The order that was brought is not valid here: ${judged.reason}.`);
        break;
      case 'lower':
        this.#refuse(`The order that was brought is not valid here: ${floorTooLow}.`);
        break;
      case 'later':
        this.#later = { order: judged.order, bytes };
        break;
      case 'new':
        this.#brought = judged.order;
        this.#await(judged);
        break;
      case 'known':
      case 'over':
        await this.#discard();
        break;
    }
  }

  async #loadTaken(): Promise<void> {
    const stored = await this.#options.store.get(storeKey);
    if (stored === undefined) return;
    const bytes = new Uint8Array(stored);
    this.#owesKey = (await this.#options.store.get(owedKey)) !== undefined;
    try {
      this.#taken = { order: decodeRestartOrder(bytes).order, bytes };
    } catch (cause) {
      throw new AppError('STORE_CORRUPT', 'the restart order that was taken does not decode', { cause });
    }
  }

  /**
   * The order that holds where the box stands now. One that was taken holds no more once a later block than its own is
   * final, by it or without it, and where one that was signed after it goes on from a block that it had taken out: to
   * come there, the box must know what was said in those views.
   */
  get #current(): RestartOrder | undefined {
    const taken = this.#taken;
    if (taken === undefined || taken === this.#left) return undefined;
    return this.#hasEnded(taken.order) || this.#isSuperseded(taken.order) ? undefined : taken.order;
  }

  /** True if it matters: an order waits for what the others say, or it speaks against the one by which this box runs. */
  peerStands(peer: InstitutionId, place: Place): boolean {
    this.#said.set(peer, { place, at: this.#options.clock.now() });
    const current = this.#current;
    return this.#waiting !== undefined || (current !== undefined && isWithout(current, place));
  }

  /** For the core, which runs by it from then on. */
  begin(): Restart | undefined {
    const order = this.#current;
    this.#begun = order;
    return order && { view: order.view, floor: order.floor };
  }

  /** What `begin` said last holds no more. An order that a block above its floor has ended is in nobody's way. */
  get haveChanged(): boolean {
    const begun = this.#begun;
    return begun !== this.#current && (begun === undefined || !this.#isOver(begun));
  }

  /**
   * True from when an order is taken that names this box as one that has forgotten, until a voting key that no copy of it
   * can have is named: the standstill may have lasted longer than a transaction is valid.
   */
  get asksForFreshKey(): boolean {
    return this.#owesKey;
  }

  /** @throws AppError STORE_FAILED. */
  async keyIsNamed(): Promise<void> {
    if (!this.#owesKey) return;
    await this.#options.store.write([{ delete: owedKey }]);
    this.#owesKey = false;
  }

  /** The encoded order, for a box of this epoch that stands below its floor. */
  orderFor(epoch: number, from: number): Uint8Array | undefined {
    const current = this.#current;
    return current?.epoch === epoch && from <= current.floor ? this.#taken?.bytes : undefined;
  }

  /** Bytes of a peer. The reason if they are no order of this consortium in this epoch. */
  offer(bytes: Uint8Array): string | undefined {
    const judged = this.#judge(bytes);
    if (judged.kind === 'new') this.#await(judged);
    // Nobody who has it sends it to a box that is not there yet: this one will hear of it then.
    if (judged.kind === 'later') return 'of a later epoch';
    return judged.kind === 'no-order' || judged.kind === 'refused' ? judged.reason : undefined;
  }

  /** Whoever has another order than this box, or is in another epoch, need not be wrong. */
  #judge(bytes: Uint8Array): Judged {
    const { chain, verify } = this.#options;
    if (this.#isKnown(({ bytes: known }) => equalBytes(known, bytes))) return { kind: 'known' };
    let signed: SignedRestartOrder;
    try {
      signed = decodeRestartOrder(bytes);
    } catch (error) {
      if (error instanceof RangeError) return { kind: 'no-order', reason: error.message };
      throw error;
    }
    const { order } = signed;
    if (this.#isOver(order)) return { kind: 'over' };
    const message = restartMessage(order);
    if (this.#isKnown((known) => equalBytes(restartMessage(known.order), message))) return { kind: 'known' };
    const { state } = chain;
    if (order.epoch > state.epoch().number) return { kind: 'later', order };
    const taken = this.#taken?.order;
    const floor = taken === undefined || this.#isOver(taken) ? undefined : taken.floor;
    if (order.floor <= Math.max(this.#waiting?.order.floor ?? 0, floor ?? 0)) return { kind: 'lower' };
    const verified = verifyRestart(signed, {
      chain: state.chain,
      epoch: state.epoch(),
      institution: (id) => state.institution(id),
      verify,
    });
    if (verified.kind === 'refused') return verified;
    // Above the floor of the one that was taken boxes have voted since, and some may have forgotten that again.
    if (floor !== undefined && order.floor - floor < restartViewsMin)
      return { kind: 'refused', reason: floorTooLow };
    return { kind: 'new', order, bytes: encodeRestartOrder(verified.signed) };
  }

  #await({ order, bytes }: Kept): void {
    this.#waiting = { order, bytes };
    this.#waitingSince = this.#options.clock.now();
    const { epoch, height, floor } = order;
    this.#options.logger.warn({ epoch, height, floor }, 'a restart was ordered');
  }

  /**
   * After each batch: the order that is to be taken now, if one waits and the box has reached its block. The caller
   * writes its floor to the vote log, and then says `taken`: an order in the store is one that nobody takes again.
   */
  async due(core: CoreState): Promise<RestartOrder | undefined> {
    this.#forgetRefused();
    const later = this.#later;
    if (later !== undefined && later.order.epoch <= this.#options.chain.state.epoch().number) {
      this.#later = undefined;
      await this.#takeBrought(later.bytes);
    }
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#leaveIfAlone(core);
      return undefined;
    }
    const standing = this.#standingAt(waiting.order, core);
    if (standing === 'before') {
      this.#tellThatBlockLacks(waiting);
      return undefined;
    }
    if (standing === 'at') {
      if (this.#isNeeded(waiting.order)) return waiting.order;
      this.#tellThatOthersLack(waiting);
      return undefined;
    }
    this.#waiting = undefined;
    if (standing === 'over') {
      await this.#discardIf(waiting);
      return undefined;
    }
    this.#refused = waiting;
    const against = {
      beyond: 'this box has other or later final blocks',
      voted: 'this box has voted to make a later block final, which the signers did not know',
      'other-view': 'that block is final in another view than the order says',
    }[standing];
    this.#refuse(`The order goes on from block ${waiting.order.height}, and ${against}.`);
    return undefined;
  }

  /**
   * The order that was due holds from now on. `isOnDisk`: the vote log has what follows from it; otherwise the box must
   * hear of it again after its next start. @throws AppError STORE_FAILED.
   */
  async taken(isOnDisk: boolean): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const owesKey = this.#owesKey || this.#isAbstaining(waiting.order);
    if (isOnDisk) {
      await this.#options.store.write([
        { put: storeKey, value: waiting.bytes },
        ...(owesKey ? [{ put: owedKey, value: new Uint8Array() }] : []),
      ]);
    }
    this.#waiting = undefined;
    this.#refused = undefined;
    this.#taken = waiting;
    this.#owesKey = owesKey;
    this.#options.health.clear('RESTART_REFUSED', alarmSubject);
    if (isOnDisk) await this.#discardIf(waiting);
  }

  /**
   * True if this box may count its votes from the order's floor on although its log lacks earlier ones. `gap`: the count
   * of starts at which that was found. The signers knew of no later gap.
   */
  closesGap(order: RestartOrder, gap: number): boolean {
    const { self } = this.#options;
    return order.abstaining.some(({ institution, start }) => institution === self && start === gap);
  }

  #isAbstaining({ abstaining }: RestartOrder): boolean {
    return abstaining.some(({ institution }) => institution === this.#options.self);
  }

  #isKnown(isIt: (kept: Kept) => boolean): boolean {
    return [this.#waiting, this.#taken, this.#refused].some((kept) => kept !== undefined && isIt(kept));
  }

  /**
   * Parts from the order that was taken if the ledger has gone on without it. A final block without it is not enough:
   * one whose votes were forgotten may come to light when others have gone on by the order (docs/adr, 0038).
   */
  #leaveIfAlone(core: CoreState): void {
    const taken = this.#taken;
    if (taken === undefined || taken === this.#left || this.#isOver(taken.order)) return;
    if (!this.#hasEnded(taken.order) && (hasVotedAbove(taken.order, core) || !this.#areWithout(taken.order)))
      return;
    this.#left = taken;
    this.#refused = taken;
    this.#refuse(
      `The others have gone on from block ${taken.order.height} without the order. This box follows them, and votes again in the next epoch.`,
    );
  }

  /**
   * With this box they are a quorum that stands no further than the order's block. At a standstill each says so every
   * second; where the ledger has gone on, by the order or without it, this box follows.
   */
  #isNeeded({ epoch, view }: RestartOrder): boolean {
    return this.#waitsQuorum({ epoch, view });
  }

  /** With this box they are a quorum that stands no further, as they say again and again. */
  #waitsQuorum(there: Place): boolean {
    const now = this.#options.clock.now();
    return this.#areQuorum(({ place, at }) => now - at <= standingFreshMs && !isAfter(place, there));
  }

  /** With this box they are a quorum: those who go on by the order are none, now and later. */
  #areWithout(order: RestartOrder): boolean {
    // A validator alone has nobody to hear.
    return this.#validators.length > 1 && this.#areQuorum(({ place }) => isWithout(order, place));
  }

  get #validators(): readonly InstitutionId[] {
    return this.#options.chain.state.epoch().validators.map(({ id }) => id);
  }

  /** Of those who have said since this start where they stand, and this box. */
  #areQuorum(are: (said: Said) => boolean): boolean {
    const { self } = this.#options;
    const those = this.#validators.filter((id) => {
      const said = this.#said.get(id);
      return id === self || (said !== undefined && are(said));
    });
    return those.length >= quorum(this.#validators.length);
  }

  /** Nobody votes by the order before it: whoever has signed this one must see that it leads on. */
  #tellThatBlockLacks(waiting: Kept): void {
    const taken = this.#taken?.order;
    if (taken === undefined || this.#isOver(taken)) return;
    const { height } = waiting.order;
    this.#tellOnce(
      waiting,
      `The second order goes on from block ${height}, which this box does not have yet.`,
    );
  }

  /** To the administrator who has brought it: what peers bring they may bring where nobody needs it. */
  #tellThatOthersLack(waiting: Kept): void {
    const { order } = waiting;
    const waitedMs = this.#options.clock.now() - this.#waitingSince;
    if (order !== this.#brought || waitedMs <= standingFreshMs) return;
    this.#tellOnce(
      waiting,
      `The order waits at block ${order.height}: fewer than ${quorum(this.#validators.length)} validators say that they stand no further.`,
    );
  }

  #tellOnce(waiting: Kept, message: string): void {
    if (waiting === this.#refused) return;
    this.#refused = waiting;
    this.#refuse(message);
  }

  /** The others have gone on by it, and this box with them: nothing of it is left to look after. */
  #forgetRefused(): void {
    if (this.#refused === undefined || !this.#isOver(this.#refused.order)) return;
    this.#refused = undefined;
    this.#options.health.clear('RESTART_REFUSED', alarmSubject);
  }

  /** The administrator may have brought it with other signatures than a peer. */
  async #discardIf({ order }: Kept): Promise<void> {
    const brought = this.#brought;
    if (brought !== undefined && equalBytes(restartMessage(brought), restartMessage(order)))
      await this.#discard();
  }

  async #discard(): Promise<void> {
    await this.#options.discardRestartOrder?.();
  }

  /** Something was final after it, or the epoch is another. */
  #isOver({ epoch, floor }: RestartOrder): boolean {
    return isAfter(this.#options.chain.place, { epoch, view: floor });
  }

  /** A later block than its own is final here, by it or without it. */
  #hasEnded({ epoch, view }: RestartOrder): boolean {
    return isAfter(this.#options.chain.place, { epoch, view });
  }

  /**
   * One waits that goes on from a block in the views that this one takes out: to come there, the box must know what was
   * said in them. Not while it may be that the others have gone on by this one: what was said there is out for them.
   */
  #isSuperseded({ epoch, view, floor }: RestartOrder): boolean {
    const waiting = this.#waiting?.order;
    if (waiting?.epoch !== epoch || waiting.view === view || waiting.view > floor) return false;
    return this.#waitsQuorum({ epoch, view: floor });
  }

  /**
   * `beyond`: this box has another final block there, or later ones, that the signers did not know. `voted`: it has helped
   * to make one final, and cannot know that it is not. `other-view`: what is built on the block after the floor would
   * name a view in which it does not stand, and nobody could vote for it.
   */
  #standingAt(order: RestartOrder, core: CoreState): Standing {
    const { head, place } = this.#options.chain;
    if (this.#isOver(order)) return 'over';
    // Consensus of the epoch that has just begun on the ledger begins in a moment.
    if (core.options.epoch < order.epoch) return 'before';
    // It was carried out, as a certificate says whose block this box fetches.
    if (core.final.view > order.floor) return 'before';
    if (head.height === order.height && equalBytes(head.digest, order.digest) && place.view !== order.view)
      return 'other-view';
    if (head.height > order.height || core.final.view > order.view) return 'beyond';
    if (hasVotedBeyond(order, core)) return 'voted';
    if (head.height === order.height) return equalBytes(head.digest, order.digest) ? 'at' : 'beyond';
    const { notarization } = viewOf(core, order.view);
    return notarization !== undefined && equalBytes(notarization.digest, order.digest) ? 'at' : 'before';
  }

  #refuse(message: string): void {
    const { logger, health } = this.#options;
    logger.error({ code: 'RESTART_REFUSED', reason: message }, 'a restart order is not taken');
    health.raise('RESTART_REFUSED', alarmSubject, message);
  }
}

/** A peer is past the order's block, and not by the order. How one that is in a later epoch came there it does not say. */
function isWithout(order: RestartOrder, place: Place): boolean {
  return place.epoch === order.epoch && place.view > order.view && place.view <= order.floor;
}

/** True if this box has voted for a block above the floor. */
function hasVotedAbove({ floor }: RestartOrder, { views }: CoreState): boolean {
  return [...views].some(
    ([number, { own }]) => number > floor && (own.notarize !== undefined || own.finalize !== undefined),
  );
}

/** True if this box has voted to finalize another block in a view after the order's. */
function hasVotedBeyond({ view, digest }: RestartOrder, { views }: CoreState): boolean {
  return [...views].some(
    ([number, { own }]) =>
      number > view && own.finalize !== undefined && !equalBytes(own.finalize.digest, digest),
  );
}
