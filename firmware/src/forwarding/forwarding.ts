/**
 * Forwarding of everything that this box keeps to the hospital's own systems: what modalities send as soon as it is
 * durable here, what was fetched from elsewhere once it is whole. Each destination is served on its own.
 */
import { AppError } from '../errors.ts';
import type { StudyId } from '../ledger/types.ts';
import type {
  Clock,
  CommitmentResult,
  HealthBoard,
  KeyValueStore,
  Logger,
  Reconcile,
  Service,
  Transcoder,
  Unsubscribe,
} from '../ports.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { DestinationLine } from './destination-line.ts';
import type { Destination } from './destination.ts';
import { PendingCommitments } from './pending-commitments.ts';
import { forgetOthers } from './queue-entries.ts';
import type { DeliveryStatus, DestinationStatus, ObjectsSetAside } from './status.ts';

export interface ForwardingOptions {
  readonly destinations: readonly Destination[];
  readonly catalogue: Catalogue;
  readonly reconcile: Reconcile;
  /** The local patient whose wallet has this account here. */
  readonly patientOf: (account: Uint8Array) => LocalPatient | undefined;
  readonly transcoder: Transcoder;
  /** When a study is complete unless something else comes of it, UTC milliseconds. */
  readonly completeAt: (study: KeptStudy) => number;
  /** AE title at which this box is asked for instances (C-MOVE, C-GET). */
  readonly retrieveAeTitle: string;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

/** What an admin asks to be sent once more. */
export type ResendRequest =
  | { readonly kind: 'study'; readonly studyRef: string }
  /** Every object that was kept since then, UTC milliseconds. */
  | { readonly kind: 'since'; readonly since: number }
  /** Everything that was set aside, or what was set aside of one study. */
  | { readonly kind: 'set aside'; readonly studyRef?: string };

export class Forwarding implements Service {
  readonly #options: ForwardingOptions;
  readonly #lines: readonly DestinationLine[];
  readonly #commitments: PendingCommitments;
  readonly #listeners = new Set<() => void>();
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    const commitments = new PendingCommitments(options.store);
    this.#commitments = commitments;
    const joint = {
      ...options,
      commitments,
      takeCommitment: (result: CommitmentResult): Promise<void> => this.takeCommitment(result),
      onChange: (): void => this.#tell(),
    };
    this.#lines = options.destinations.map((destination) => new DestinationLine({ ...joint, destination }));
  }

  /** Takes up all queues where they were. The catalogue is loaded by then. */
  async start(): Promise<void> {
    const { catalogue, store, logger, destinations } = this.#options;
    const inline = destinations.filter((destination) => destination.inline).map(({ name }) => name);
    await forgetOthers(store, inline, logger);
    await this.#commitments.load();
    // Listens first, so that nothing that is kept meanwhile is missed.
    this.#unsubscribe = catalogue.onChange((study) => this.reconsider(study));
    for (const line of this.#lines) await line.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await Promise.all(this.#lines.map((line) => line.stop()));
  }

  /** Something is known of a study that may change when it is complete. */
  reconsider(study: KeptStudy): void {
    for (const line of this.#lines) line.offer(study);
  }

  /**
   * A fetched study is delivered to every destination that gets such, from the first object on that it has not got. On
   * disk when it resolves. @throws AppError STORE_FAILED, STORE_CORRUPT.
   */
  async enqueue(studyId: StudyId, patientAccount: Uint8Array | null): Promise<void> {
    const study = this.#options.catalogue.byStudyId(studyId);
    if (study === undefined)
      throw new AppError('STORE_CORRUPT', 'A study that is to be delivered is not held.');
    for (const line of this.#lines) await line.enqueue(study, patientAccount);
    this.#tell();
  }

  /**
   * A result of a storage commitment that a destination was asked for. On disk when it resolves. One that nobody waits
   * for, or no longer, is passed over: the destination need not repeat it. @throws AppError STORE_FAILED.
   */
  async takeCommitment(result: CommitmentResult): Promise<void> {
    const pending = this.#commitments.get(result.transactionUid);
    const line = pending && this.#lineTo(pending.destination);
    const study = this.#options.catalogue.studies().find(({ ref }) => ref === pending?.studyRef);
    if (pending === undefined || line === undefined || study === undefined) {
      this.#options.logger.warn({}, 'the result of a storage commitment that nobody waits for');
      return;
    }
    await line.takeCommitment(study, pending, result);
    this.#tell();
  }

  /** How far a study has come, for each destination that gets it. */
  statusOf(study: KeptStudy): readonly DeliveryStatus[] {
    return this.#lines.flatMap((line) => line.statusOf(study) ?? []);
  }

  destinations(): readonly DestinationStatus[] {
    return this.#lines.map((line) => line.status());
  }

  /** What destinations refused, with the reasons. */
  setAside(): readonly ObjectsSetAside[] {
    return this.#lines.flatMap((line) => line.setAside());
  }

  /**
   * Queues objects once more for a destination, and tries it at once. @returns how many objects; undefined if there is
   * no such destination.
   */
  resend(destination: string, request: ResendRequest): number | undefined {
    const count = this.#lineTo(destination)?.resend(request);
    this.#tell();
    return count;
  }

  /** Gives up on what was set aside of a study. @returns how many objects; undefined without such a destination. */
  dropSetAside(destination: string, studyRef: string): number | undefined {
    const count = this.#lineTo(destination)?.dropSetAside(studyRef);
    this.#tell();
    return count;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #lineTo(name: string): DestinationLine | undefined {
    return this.#lines.find((line) => line.destination.name === name);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
