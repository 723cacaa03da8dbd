/** All that belongs to one destination: its queue on disk, its sender, its worker. */
import type { CommitmentResult, Service } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { AfterCare } from './after-care.ts';
import { DestinationWorker } from './destination-worker.ts';
import type { Destination } from './destination.ts';
import { ForwardQueue, type Waiting } from './forward-queue.ts';
import type { ForwardingOptions, ResendRequest } from './forwarding.ts';
import { ObjectSender } from './object-sender.ts';
import type { PendingCommitment, PendingCommitments } from './pending-commitments.ts';
import { QueueEntries } from './queue-entries.ts';
import type { DeliveryStatus, DestinationStatus, ObjectsSetAside } from './status.ts';

export interface DestinationLineOptions extends Omit<ForwardingOptions, 'destinations'> {
  readonly destination: Destination;
  readonly commitments: PendingCommitments;
  readonly takeCommitment: (result: CommitmentResult) => Promise<void>;
  readonly onChange: () => void;
}

export class DestinationLine implements Service {
  readonly destination: Destination;
  readonly #options: DestinationLineOptions;
  readonly #entries: QueueEntries;
  readonly #queue: ForwardQueue;
  readonly #worker: DestinationWorker;
  readonly #care: AfterCare;
  #started = false;

  constructor(options: DestinationLineOptions) {
    this.destination = options.destination;
    this.#options = options;
    this.#entries = new QueueEntries({ ...options, destination: options.destination.name });
    this.#queue = new ForwardQueue({ ...options, entries: this.#entries });
    const stopping = new AbortController();
    const sender = new ObjectSender({ ...options, queue: this.#queue, signal: stopping.signal });
    this.#worker = new DestinationWorker({
      ...options,
      queue: this.#queue,
      sender,
      stopping,
      onSettled: (waiting) => this.#settled(waiting),
    });
    this.#care = new AfterCare({
      ...options,
      queue: this.#queue,
      entries: this.#entries,
      onResend: () => this.#worker.wake(),
    });
  }

  async start(): Promise<void> {
    await this.#queue.start();
    this.#started = true;
    await this.#care.start(this.#options.catalogue.studies());
    await this.#worker.start();
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    await this.#care.stop();
    await this.#entries.close();
  }

  /** A study may have grown. What comes before the queue is loaded is found by loading it. */
  offer(study: KeptStudy): void {
    if (!this.#started) return;
    if (this.#queue.offer(study)) this.#worker.wake();
    this.#care.consider(study);
  }

  /** On disk when it resolves. */
  async enqueue(study: KeptStudy, patientAccount: Uint8Array | null): Promise<void> {
    if (!this.destination.fetched) return;
    await this.#queue.enqueue(study, patientAccount);
    this.#worker.wake();
  }

  statusOf(study: KeptStudy): DeliveryStatus | undefined {
    const entry = this.#queue.entryOf(study);
    const waits = this.#queue.isWaiting(study);
    if (!waits && (entry === undefined || entry.taken === entry.before)) return undefined;
    const { name, aeTitle } = this.destination;
    const fails = waits
      ? this.#worker.failing !== undefined || this.#queue.isFailing(study)
      : (entry?.setAside.length ?? 0) > 0;
    const settled = waits ? 'waiting' : 'delivered';
    return {
      destination: name,
      aeTitle,
      state: fails ? 'failed' : settled,
      at: entry?.at ?? study.lastObjectAt,
    };
  }

  status(): DestinationStatus {
    const { name, aeTitle } = this.destination;
    const { failing, isHeldBack } = this.#worker;
    const taking = isHeldBack ? 'held back' : 'ready';
    return {
      name,
      aeTitle,
      state: failing === undefined ? taking : 'failing',
      ...(failing === undefined ? {} : { failing }),
      waiting: this.#queue.counts(),
      setAside: this.#queue.setAsideCount,
    };
  }

  /** What the destination says of a storage commitment that it was asked for. */
  async takeCommitment(
    study: KeptStudy,
    pending: PendingCommitment,
    result: CommitmentResult,
  ): Promise<void> {
    await this.#care.take(study, pending, result);
    this.#worker.tellSetAside();
  }

  setAside(): readonly ObjectsSetAside[] {
    return [...this.#queue.allSetAside()].flatMap(({ studyRef, setAside }) =>
      setAside.map(({ range: [, objects], reason, at }) => ({
        destination: this.destination.name,
        studyRef,
        objects,
        reason,
        at,
      })),
    );
  }

  resend(request: ResendRequest): number {
    const count = this.#studies(request.kind === 'since' ? undefined : request.studyRef)
      .map((study) => this.#resend(study, request))
      .reduce((sum, objects) => sum + objects, 0);
    this.#worker.tellSetAside();
    this.#worker.hurry();
    return count;
  }

  dropSetAside(studyRef: string): number {
    const counts = this.#studies(studyRef).map((study) => this.#queue.dropSetAside(study));
    this.#worker.tellSetAside();
    return counts.reduce((sum, objects) => sum + objects, 0);
  }

  #resend(study: KeptStudy, request: ResendRequest): number {
    if (request.kind === 'set aside') return this.#queue.resendSetAside(study);
    if (request.kind === 'study') return this.#queue.resend(study);
    const from = study.objects.findIndex(({ at }) => at >= request.since);
    return from < 0 ? 0 : this.#queue.resend(study, from);
  }

  #studies(studyRef: string | undefined): readonly KeptStudy[] {
    const studies = this.#options.catalogue.studies();
    return studyRef === undefined ? studies : studies.filter(({ ref }) => ref === studyRef);
  }

  #settled({ study }: Waiting): void {
    const { logger, onChange } = this.#options;
    if (!this.#queue.isWaiting(study)) {
      this.#care.consider(study);
      const fields = { study: study.ref, destination: this.destination.name, objects: study.objects.length };
      logger.info(fields, 'study delivered');
    }
    onChange();
  }
}
