/** Sends one object to one destination, and says what became of it. */
import { AppError } from '../errors.ts';
import type { Clock, Logger, Reconcile, StorageAssociation, Transcoder } from '../ports.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { AssociationHolder, type Held } from './association-holder.ts';
import { BegunDataSet } from './begun-data-set.ts';
import { coercionOf } from './coercion.ts';
import type { Destination } from './destination.ts';
import type { ForwardQueue, Waiting } from './forward-queue.ts';
import { keptDataSet } from '../studies/kept-data-set.ts';
import { objectsAheadMax } from './limits.ts';
import { statusText, verdictOf } from './store-verdict.ts';
import { TokenBucket } from './token-bucket.ts';

export type SendOutcome =
  | { readonly kind: 'stored' }
  /** The object itself was refused, or cannot be sent. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The destination took it not now. */
  | { readonly kind: 'later'; readonly reason: string }
  /** No association could be had. */
  | { readonly kind: 'unreachable'; readonly reason: string };

export interface ObjectSenderOptions {
  readonly destination: Destination;
  readonly queue: ForwardQueue;
  readonly reconcile: Reconcile;
  /** The local patient whose wallet has this account here. */
  readonly patientOf: (account: Uint8Array) => LocalPatient | undefined;
  readonly transcoder: Transcoder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class ObjectSender {
  readonly #options: ObjectSenderOptions;
  readonly #holder: AssociationHolder;
  readonly #bucket: TokenBucket | undefined;

  constructor(options: ObjectSenderOptions) {
    this.#options = options;
    const { destination, transcoder, clock, signal } = options;
    const targets = (transferSyntaxUid: string): readonly string[] => transcoder.targets(transferSyntaxUid);
    this.#holder = new AssociationHolder({ scu: destination.scu, targets, clock, signal });
    const rate = destination.bytesPerSecondMax;
    this.#bucket = rate === undefined ? undefined : new TokenBucket(rate, clock);
  }

  async send(waiting: Waiting): Promise<SendOutcome> {
    let held: Held;
    try {
      held = await this.#holder.obtain(waiting.object, this.#options.queue.upcoming(objectsAheadMax));
    } catch (error) {
      return { kind: 'unreachable', reason: this.#reasonOf(error) };
    }
    const outcome = await this.#sendOver(held.association, waiting);
    // The peer may have closed an association that was idle; only a fresh one says something of the object.
    if (outcome.kind === 'broken' && !held.isFresh && !this.#options.signal.aborted)
      return this.send(waiting);
    return outcome.kind === 'broken' ? { ...outcome, kind: 'later' } : outcome;
  }

  /** Nothing waits: the association is released unless something comes soon. */
  rest(): void {
    this.#holder.rest();
  }

  async stop(): Promise<void> {
    await this.#holder.abort();
  }

  async #sendOver(
    association: StorageAssociation,
    waiting: Waiting,
  ): Promise<SendOutcome | { readonly kind: 'broken'; readonly reason: string }> {
    const { destination } = this.#options;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = waiting.object;
    const chosen = this.#transferSyntaxFor(association, waiting);
    if (chosen === undefined) {
      const reason = `${destination.aeTitle} accepts no ${sopClassUid} in transfer syntax ${transferSyntaxUid}`;
      return { kind: 'refused', reason };
    }
    let dataSet: BegunDataSet;
    try {
      dataSet = await BegunDataSet.begin(this.#dataSet(waiting, chosen));
    } catch (error) {
      return this.#unreadable(error);
    }
    try {
      const sent = { sopClassUid, sopInstanceUid, transferSyntaxUid: chosen };
      const status = await association.store(sent, dataSet);
      const verdict = verdictOf(status);
      const reason = `${destination.aeTitle} answered C-STORE with status ${statusText(status)}`;
      return verdict === 'stored' ? { kind: 'stored' } : { kind: verdict, reason };
    } catch (error) {
      await this.#holder.abort();
      if (error instanceof AppError && error.code === 'DELIVERY_FAILED')
        return { kind: 'broken', reason: error.message };
      return this.#unreadable(error);
    } finally {
      await dataSet.close();
    }
  }

  /** What this box cannot read or bring into another form is no fault of the destination. */
  #unreadable(error: unknown): SendOutcome {
    const own = error instanceof AppError && ['STORE_CORRUPT', 'TRANSCODING_FAILED'].includes(error.code);
    return { kind: own ? 'refused' : 'later', reason: this.#reasonOf(error) };
  }

  /** As kept where the destination takes it so, else what it accepted of what loses nothing. */
  #transferSyntaxFor(association: StorageAssociation, { object }: Waiting): string | undefined {
    const accepted = association.accepted
      .filter(({ sopClassUid }) => sopClassUid === object.sopClassUid)
      .map(({ transferSyntaxUid }) => transferSyntaxUid);
    const ways = [object.transferSyntaxUid, ...this.#options.transcoder.targets(object.transferSyntaxUid)];
    return ways.find((transferSyntaxUid) => accepted.includes(transferSyntaxUid));
  }

  #dataSet({ study, object }: Waiting, transferSyntaxUid: string): AsyncIterable<Uint8Array> {
    const { queue, patientOf, reconcile, transcoder, clock, signal } = this.#options;
    const account = queue.entryOf(study)?.patientAccount ?? null;
    const coercion = coercionOf(study, account === null ? undefined : patientOf(account), clock.now());
    const kept = keptDataSet(study, object);
    const own = coercion === undefined ? kept : reconcile(kept, object.transferSyntaxUid, coercion);
    const taken =
      transferSyntaxUid === object.transferSyntaxUid
        ? own
        : transcoder.transcode(own, object.transferSyntaxUid, transferSyntaxUid, signal);
    return this.#bucket === undefined ? taken : this.#bucket.pace(taken, signal);
  }

  #reasonOf(error: unknown): string {
    if (error instanceof AppError) return error.message;
    const { destination, logger, signal } = this.#options;
    if (!signal.aborted) logger.error({ destination: destination.name, error }, 'an object cannot be sent');
    return 'a fault of this box';
  }
}
