/**
 * What one destination still has to get, in the order in which it arrived. Memory grows with the studies that wait,
 * not with their objects: those stand in the manifests.
 */
import type { Clock } from '../ports.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import { Deferrals, type ObjectPlace } from './deferrals.ts';
import type { Destination } from './destination.ts';
import { addRange, countIn, removeRange, type IndexRange } from './index-ranges.ts';
import { objectsPerTurn, reasonCharactersMax } from './limits.ts';
import type { QueueEntries } from './queue-entries.ts';
import { newEntry, type QueueEntry, type SetAside } from './queue-entry.ts';

/** One object whose turn it is. */
export interface Waiting {
  readonly study: KeptStudy;
  /** Its place among the study's objects. */
  readonly index: number;
  readonly object: ObjectKept;
}

export interface ForwardQueueOptions {
  readonly destination: Destination;
  readonly entries: QueueEntries;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
}

const placeOf = ({ study, index }: Waiting): ObjectPlace => ({ studyRef: study.ref, index });

export class ForwardQueue {
  readonly #destination: Destination;
  readonly #entries: QueueEntries;
  readonly #catalogue: Catalogue;
  readonly #deferrals: Deferrals;
  /** Studies with something to be sent, the next one first. */
  readonly #waiting = new Map<string, KeptStudy>();
  /** Studies of which objects are set aside. */
  readonly #aside = new Set<string>();
  #sentInTurn = 0;
  /** Whether an object that did not fail yet has precedence over one that did. */
  #untriedFirst = false;

  constructor({ destination, entries, catalogue, clock }: ForwardQueueOptions) {
    this.#destination = destination;
    this.#entries = entries;
    this.#catalogue = catalogue;
    this.#deferrals = new Deferrals(clock);
  }

  /** Takes up what is left from the last run. The first time, inline forwarding begins with what comes from now on. */
  async start(): Promise<void> {
    await this.#entries.load();
    const studies = [...this.#catalogue.studies()].sort((a, b) => a.created.at - b.created.at);
    if (this.#destination.inline && !(await this.#entries.hasBegun())) {
      const held = studies
        .filter((study) => isOfThisHospital(study))
        .filter(({ ref }) => this.#entries.get(ref) === undefined)
        .map((study) => [study.ref, study.objects.length] as const);
      await this.#entries.begin(held);
    }
    for (const study of studies) {
      if ((this.entryOf(study)?.setAside.length ?? 0) > 0) this.#aside.add(study.ref);
      this.offer(study);
    }
  }

  entryOf(study: KeptStudy): QueueEntry | undefined {
    return this.#entries.get(study.ref);
  }

  /** A study that may have grown. True if something of it is to be sent. */
  offer(study: KeptStudy): boolean {
    if (!this.#isFor(study)) return false;
    const { taken, again } = this.entryOf(study) ?? newEntry;
    if (taken >= study.objects.length && again.length === 0) return false;
    this.#waiting.set(study.ref, study);
    return true;
  }

  isWaiting(study: KeptStudy): boolean {
    return this.#waiting.has(study.ref);
  }

  /** Whether an object of this study failed and is tried again. */
  isFailing(study: KeptStudy): boolean {
    return this.#deferrals.hasSome(study.ref);
  }

  /** A fetched study is to be delivered. On disk when it resolves. @throws AppError STORE_FAILED. */
  async enqueue(study: KeptStudy, patientAccount: Uint8Array | null): Promise<void> {
    await this.#entries.save(study.ref, { patientAccount, enqueued: true });
    this.offer(study);
  }

  /** The object whose turn it is; undefined if none is due now. */
  next(): Waiting | undefined {
    return (this.#untriedFirst ? this.#firstOf('untried') : undefined) ?? this.#firstOf('all');
  }

  /** When what failed is due again, UTC milliseconds. */
  get deferredUntil(): number | undefined {
    return this.#deferrals.nextAt;
  }

  /** Objects that come next, at most so many, without regard to what is deferred. */
  *upcoming(objectsMax: number): Iterable<ObjectKept> {
    let seen = 0;
    for (const study of this.#waiting.values()) {
      const { taken } = this.entryOf(study) ?? newEntry;
      for (let index = taken; index < study.objects.length; index++) {
        const object = study.objects[index];
        if (object !== undefined) yield object;
        if (++seen >= objectsMax) return;
      }
    }
  }

  taken(waiting: Waiting): void {
    this.#untriedFirst = false;
    this.#deferrals.took(placeOf(waiting));
    this.#done(waiting, {});
    this.#takeTurns(waiting.study);
  }

  /** For good, until an admin says otherwise. */
  setAside(waiting: Waiting, reason: string, at: number): void {
    this.#deferrals.forget(placeOf(waiting));
    const setAside = withSetAside(this.entryOf(waiting.study)?.setAside ?? [], {
      range: [waiting.index, 1],
      reason: reason.slice(0, reasonCharactersMax),
      at,
    });
    this.#aside.add(waiting.study.ref);
    this.#done(waiting, { setAside });
  }

  /**
   * For now. Its study goes to the end of the line, and every second try after a failure goes to what did not fail yet:
   * objects that the destination cannot take keep no others waiting.
   */
  defer(waiting: Waiting, reason: string, at: number): 'waits' | 'set aside' {
    const { study, index } = waiting;
    this.#untriedFirst = !this.#untriedFirst;
    this.#toEndOfLine(study);
    if (this.#deferrals.failed(placeOf(waiting)) === 'exhausted') {
      this.setAside(waiting, reason, at);
      return 'set aside';
    }
    const { taken, again } = this.entryOf(study) ?? newEntry;
    if (index >= taken)
      this.#entries.change(study.ref, { taken: index + 1, again: addRange(again, [index, 1]) });
    return 'waits';
  }

  /** Refused for good after it was taken. */
  setAsideAt(study: KeptStudy, index: number, reason: string, at: number): void {
    const object = study.objects[index];
    if (object !== undefined) this.setAside({ study, index, object }, reason, at);
  }

  /** Objects that were taken and are needed once more. */
  sendAgain(study: KeptStudy, indices: readonly number[]): void {
    const { again } = this.entryOf(study) ?? newEntry;
    this.#entries.change(study.ref, { again: indices.reduce(withIndex, again) });
    this.offer(study);
  }

  /**
   * Everything of a study from an object on is sent once more, whatever became of it, but what the destination sent
   * itself. Returns how many objects.
   */
  resend(study: KeptStudy, from = 0): number {
    if (!this.#isFor(study)) return 0;
    const { taken, before, again, setAside, givenUp, notified, committed } = this.entryOf(study) ?? newEntry;
    const range: IndexRange = [from, Math.max(0, taken - from)];
    const sent = this.#notSentItself(study, from);
    this.#keepAside(study, withoutRange(setAside, range), {
      again: sent.filter((index) => index < taken).reduce(withIndex, again),
      givenUp: removeRange(givenUp, range),
      before: Math.min(before, from),
      notified: Math.min(notified, from),
      committed: Math.min(committed, from),
    });
    return sent.length;
  }

  /** What was set aside is tried again. Returns how many objects. */
  resendSetAside(study: KeptStudy): number {
    const { again, setAside, committed } = this.entryOf(study) ?? newEntry;
    if (setAside.length === 0) return 0;
    const ranges = setAside.map(({ range }) => range);
    const first = Math.min(...ranges.map(([from]) => from));
    this.#keepAside(study, [], {
      again: ranges.reduce(addRange, again),
      committed: Math.min(committed, first),
    });
    return countIn(ranges);
  }

  /** An admin gives up on what was set aside. Returns how many objects. */
  dropSetAside(study: KeptStudy): number {
    const { setAside, givenUp } = this.entryOf(study) ?? newEntry;
    if (setAside.length === 0) return 0;
    const ranges = setAside.map(({ range }) => range);
    this.#keepAside(study, [], { givenUp: ranges.reduce(addRange, givenUp) });
    return countIn(ranges);
  }

  /** What failed is due at once. */
  hurry(): void {
    this.#deferrals.clear();
  }

  /** Studies of which objects are set aside, with what and why. */
  *allSetAside(): Iterable<{ readonly studyRef: string; readonly setAside: readonly SetAside[] }> {
    for (const studyRef of this.#aside) {
      const setAside = this.#entries.get(studyRef)?.setAside ?? [];
      yield { studyRef, setAside };
    }
  }

  /** What waits, deferred objects included. */
  counts(): { readonly studies: number; readonly objects: number } {
    let objects = 0;
    for (const study of this.#waiting.values()) {
      const { taken, again } = this.entryOf(study) ?? newEntry;
      objects += study.objects.length - taken + countIn(again);
    }
    return { studies: this.#waiting.size, objects };
  }

  get setAsideCount(): number {
    let count = 0;
    for (const { setAside } of this.allSetAside()) count += countIn(setAside.map(({ range }) => range));
    return count;
  }

  /**
   * What modalities sent goes to inline destinations, what was fetched to where it was enqueued. What somebody here sent
   * of a fetched study goes to inline destinations that get nothing fetched: the others have it.
   */
  #isFor(study: KeptStudy): boolean {
    switch (study.created.origin.kind) {
      case 'modality':
      case 'referenced':
        // What was pulled came from the archive and is passed over; what a modality adds to it is sent like all else.
        return this.#destination.inline;
      case 'fetched':
        return this.#destination.fetched && this.entryOf(study)?.enqueued === true;
      case 'returned':
        return this.#destination.inline && !this.#destination.fetched;
    }
  }

  #firstOf(which: 'all' | 'untried'): Waiting | undefined {
    for (const study of this.#waiting.values()) {
      const index = this.#nextIn(study, which);
      const object = index === undefined ? undefined : study.objects[index];
      if (index !== undefined && object !== undefined) return { study, index, object };
    }
    return undefined;
  }

  #nextIn(study: KeptStudy, which: 'all' | 'untried'): number | undefined {
    const { again } = this.entryOf(study) ?? newEntry;
    const isHeld = this.#deferrals.isHeld(study.ref);
    for (const [first, count] of again) {
      for (let index = first; index < first + count; index++) {
        const place = { studyRef: study.ref, index };
        const isDue = this.#deferrals.has(place)
          ? which === 'all' && !this.#deferrals.isWaiting(place)
          : !isHeld;
        if (!isDue) continue;
        if (!this.sentItself(study, study.objects[index])) return index;
        // Asked for before the configuration said that the destination sends under this AE title.
        const left = this.entryOf(study)?.again ?? [];
        this.#entries.change(study.ref, { again: removeRange(left, [index, 1]) });
      }
    }
    this.#passOver(study);
    const { taken } = this.entryOf(study) ?? newEntry;
    return taken < study.objects.length && !isHeld ? taken : undefined;
  }

  /** What the destination itself sent is not sent back to it: that would go in circles. */
  #passOver(study: KeptStudy): void {
    const before = this.entryOf(study)?.taken ?? 0;
    let taken = before;
    while (this.sentItself(study, study.objects[taken])) taken++;
    if (taken > before) this.#entries.change(study.ref, { taken });
    this.#settle(study);
  }

  /** Whether the destination sent this object to the box. */
  sentItself(study: KeptStudy, object: ObjectKept | undefined): boolean {
    if (object === undefined || !isOfThisHospital(study)) return false;
    const { origin } = study.created;
    // What was pulled is in the archive of the hospital already, whichever destination asks.
    if (origin.kind === 'referenced' && object.callingAeTitle === origin.pacs) return true;
    return this.#destination.sendsAs.includes(object.callingAeTitle);
  }

  #notSentItself(study: KeptStudy, from: number): readonly number[] {
    return study.objects.flatMap((object, index) =>
      index < from || this.sentItself(study, object) ? [] : [index],
    );
  }

  #done({ study, index }: Waiting, change: Partial<QueueEntry>): void {
    const { again, ...entry } = this.entryOf(study) ?? newEntry;
    const taken = Math.max(entry.taken, index + 1);
    const { notify, commitment } = this.#destination;
    this.#entries.change(study.ref, {
      ...change,
      taken,
      again: removeRange(again, [index, 1]),
      // Switched on later, they begin with what comes then.
      ...(!notify && { notified: taken }),
      ...(!commitment && { committed: taken }),
    });
    this.#settle(study);
  }

  #settle(study: KeptStudy): void {
    const { taken, again } = this.entryOf(study) ?? newEntry;
    if (taken >= study.objects.length && again.length === 0) this.#waiting.delete(study.ref);
  }

  /** After some objects the study goes to the end of the line. */
  #takeTurns(study: KeptStudy): void {
    this.#sentInTurn++;
    if (this.#sentInTurn < objectsPerTurn && this.isWaiting(study)) return;
    this.#toEndOfLine(study);
  }

  #toEndOfLine(study: KeptStudy): void {
    this.#sentInTurn = 0;
    if (this.#waiting.delete(study.ref)) this.#waiting.set(study.ref, study);
  }

  #keepAside(study: KeptStudy, setAside: readonly SetAside[], change: Partial<QueueEntry>): void {
    this.#entries.change(study.ref, { ...change, setAside });
    if (setAside.length === 0) this.#aside.delete(study.ref);
    this.offer(study);
  }
}

/** Whether somebody in this hospital sent it, or has it in its archive. */
function isOfThisHospital({ created: { origin } }: KeptStudy): boolean {
  return origin.kind !== 'fetched';
}

const withIndex = (ranges: readonly IndexRange[], index: number): readonly IndexRange[] =>
  addRange(ranges, [index, 1]);

/** Neighbours with one reason are one. */
function withSetAside(list: readonly SetAside[], added: SetAside): SetAside[] {
  const [index] = added.range;
  const neighbour = list.find(
    ({ range: [first, count], reason }) => reason === added.reason && first + count === index,
  );
  if (neighbour === undefined) return [...list, added];
  const range: IndexRange = [neighbour.range[0], neighbour.range[1] + 1];
  return list.map((aside) => (aside === neighbour ? { ...added, range } : aside));
}

function withoutRange(list: readonly SetAside[], without: IndexRange): SetAside[] {
  return list.flatMap((aside) => removeRange([aside.range], without).map((range) => ({ ...aside, range })));
}
