/**
 * What follows when a destination has got a complete study: it is told that the instances are available, and asked to
 * commit to keep them. Runs beside the sending, which never waits for it.
 */
import { AppError } from '../errors.ts';
import type { Clock, CommitmentResult, HealthBoard, Logger, Service, Timer } from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { availabilityOf } from './availability.ts';
import { Bell } from './bell.ts';
import { CommitmentProgress } from './commitment-progress.ts';
import type { Destination } from './destination.ts';
import type { ForwardQueue } from './forward-queue.ts';
import { commitmentAnswerMsMax, commitmentRetryMs, instancesPerCommitmentMax } from './limits.ts';
import type { PendingCommitment, PendingCommitments } from './pending-commitments.ts';
import type { QueueEntries } from './queue-entries.ts';
import { statusText } from './store-verdict.ts';

export interface AfterCareOptions {
  readonly destination: Destination;
  readonly queue: ForwardQueue;
  readonly entries: QueueEntries;
  readonly commitments: PendingCommitments;
  /** When a study is complete unless something else comes of it, UTC milliseconds. */
  readonly completeAt: (study: KeptStudy) => number;
  /** AE title at which this box is asked for the instances (C-MOVE, C-GET). */
  readonly retrieveAeTitle: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** A result that comes on the association on which it was asked for. */
  readonly takeCommitment: (result: CommitmentResult) => Promise<void>;
  /** Objects are to be sent again. */
  readonly onResend: () => void;
}

export class AfterCare implements Service {
  readonly #options: AfterCareOptions;
  readonly #bell: Bell;
  readonly #progress: CommitmentProgress;
  readonly #stopping = new AbortController();
  readonly #timers = new Map<string, Timer>();
  /** Studies whose time has come. */
  readonly #ready = new Set<KeptStudy>();
  #failures = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: AfterCareOptions) {
    this.#options = options;
    this.#bell = new Bell(options.clock);
    this.#progress = new CommitmentProgress(options);
  }

  /** `studies`: all that are kept. */
  start(studies: readonly KeptStudy[] = []): Promise<void> {
    const { commitments, destination } = this.#options;
    for (const study of studies) this.consider(study);
    const byRef = new Map(studies.map((study) => [study.ref, study]));
    for (const pending of commitments.of(destination.name)) {
      const study = byRef.get(pending.studyRef);
      if (study !== undefined) this.#awaitAnswer(study, pending);
    }
    this.#running = this.#run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#bell.ring();
    await this.#running;
  }

  /** A study grew, or nothing of it waits to be sent any more. */
  consider(study: KeptStudy): void {
    const at = this.#dueAt(study);
    this.#timers.get(study.ref)?.cancel();
    this.#timers.delete(study.ref);
    if (at !== undefined) this.#wakeAt(study.ref, at, () => this.#isReady(study));
  }

  /** What the destination says of objects that it was asked to commit to. On disk when it resolves. */
  async take(study: KeptStudy, pending: PendingCommitment, result: CommitmentResult): Promise<void> {
    const { commitments, destination, health, logger } = this.#options;
    const committed = new Set(result.committed.map(({ sopInstanceUid }) => sopInstanceUid));
    const denied = pending.indices.filter(
      (index) => !committed.has(study.objects[index]?.sopInstanceUid ?? ''),
    );
    const reasons = result.failed.map(({ failureReason }) => statusText(failureReason));
    const fields = { study: study.ref, destination: destination.name, denied: denied.length, reasons };
    if (denied.length === 0) {
      this.#progress.committed(study);
      health.clear('COMMITMENT_FAILED', destination.name);
      logger.info(fields, 'storage committed');
    } else {
      const said = reasons[0] === undefined ? '' : ` (failure reason ${reasons[0]})`;
      const reason = `${destination.aeTitle} does not commit to keep it${said}`;
      await this.#progress.denied(study, denied, reason);
      logger.warn(fields, 'storage not committed');
      health.raise('COMMITMENT_FAILED', destination.name, `Objects not committed to: ${denied.length}.`);
      this.#options.onResend();
    }
    await commitments.remove(pending);
    // Not before: the response to the request may come meanwhile, and an answer is awaited from then on.
    this.#timers.get(pending.transactionUid)?.cancel();
    this.#timers.delete(pending.transactionUid);
    this.consider(study);
  }

  #dueAt(study: KeptStudy): number | undefined {
    const { queue, completeAt } = this.#options;
    const entry = queue.entryOf(study);
    if (entry === undefined || queue.isWaiting(study) || !this.#needs(study)) return undefined;
    const pause = entry.commitmentFailures > 0 ? entry.at + commitmentRetryMs : 0;
    return Math.max(completeAt(study), pause);
  }

  #needs(study: KeptStudy): 'notification' | 'commitment' | undefined {
    const { destination, queue } = this.#options;
    const { notified = 0, committed = 0 } = queue.entryOf(study) ?? {};
    if (destination.notify && notified < study.objects.length) return 'notification';
    return destination.commitment && committed < study.objects.length ? 'commitment' : undefined;
  }

  #wakeAt(key: string, at: number, run: () => void): void {
    if (this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const ms = at - clock.now();
    if (ms <= 0) run();
    else this.#timers.set(key, clock.setTimer(ms, run));
  }

  #isReady(study: KeptStudy): void {
    this.#timers.delete(study.ref);
    this.#ready.add(study);
    this.#bell.ring();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const [study] = this.#ready;
      if (study === undefined) {
        await this.#bell.rest(undefined);
        continue;
      }
      this.#ready.delete(study);
      await this.#tend(study);
    }
  }

  /** What failed is tried again after a pause; others are not kept waiting. */
  async #tend(study: KeptStudy): Promise<void> {
    const { clock, destination, logger } = this.#options;
    const now = clock.now();
    if ((this.#dueAt(study) ?? Number.POSITIVE_INFINITY) > now) {
      this.consider(study);
      return;
    }
    try {
      if (this.#needs(study) === 'notification') await this.#notify(study);
      else await this.#askCommitment(study);
      this.#failures = 0;
      this.consider(study);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const fields = { study: study.ref, destination: destination.name, error };
      if (error instanceof AppError) logger.warn(fields, 'to be told again later');
      else logger.error(fields, 'a fault of this box, to be told again later');
      this.#wakeAt(study.ref, now + retryPauseMs(this.#failures++), () => this.#isReady(study));
    }
  }

  async #notify(study: KeptStudy): Promise<void> {
    const { destination, entries, retrieveAeTitle } = this.#options;
    const objects = study.objects.length;
    for (const notification of availabilityOf(study, retrieveAeTitle)) {
      const status = await destination.workflow.notify(notification, this.#stopping.signal);
      if (!wasCreated(status)) throw this.#refused('N-CREATE', status);
    }
    entries.change(study.ref, { notified: objects });
  }

  /** What is asked for stands on disk first: an answer can come before the response. */
  async #askCommitment(study: KeptStudy): Promise<void> {
    const { commitments, destination, clock } = this.#options;
    const objects = study.objects.length;
    const indices = this.#progress.open(study);
    const asked: PendingCommitment[] = [];
    for (let first = 0; first < indices.length; first += instancesPerCommitmentMax) {
      const part = indices.slice(first, first + instancesPerCommitmentMax);
      const described = { destination: destination.name, studyRef: study.ref, indices: part };
      asked.push(await commitments.add({ ...described, askedAt: clock.now() }));
    }
    await this.#progress.asked(study, objects);
    try {
      for (const pending of asked) {
        await this.#ask(study, pending);
        this.#awaitAnswer(study, pending);
      }
    } catch (error) {
      // Those that were not asked for stay on disk no longer; those that were are answered as they are.
      for (const pending of asked.filter(({ transactionUid }) => !this.#timers.has(transactionUid)))
        await this.#giveUp(study, pending);
      throw error;
    }
  }

  async #ask(study: KeptStudy, { transactionUid, indices }: PendingCommitment): Promise<void> {
    const instances = indices.flatMap((index) => study.objects[index] ?? []);
    const request = { transactionUid, instances };
    const { destination, takeCommitment } = this.#options;
    const status = await destination.workflow.askCommitment(request, takeCommitment, this.#stopping.signal);
    if (status !== 0) throw this.#refused('N-ACTION', status);
  }

  /** Nothing to wait for if the answer came before the response to the request. */
  #awaitAnswer(study: KeptStudy, pending: PendingCommitment): void {
    const { commitments, destination, health } = this.#options;
    if (commitments.get(pending.transactionUid) === undefined) return;
    this.#wakeAt(pending.transactionUid, pending.askedAt + commitmentAnswerMsMax, () => {
      health.raise('COMMITMENT_FAILED', destination.name, 'A storage commitment was not answered in time.');
      void this.#giveUp(study, pending).then(() => this.consider(study));
    });
  }

  /** Without an answer it is asked for again, under another transaction. One that was answered meanwhile stays so. */
  async #giveUp(study: KeptStudy, pending: PendingCommitment): Promise<void> {
    const { commitments, logger } = this.#options;
    if (commitments.get(pending.transactionUid) === undefined) return;
    this.#progress.unanswered(study, pending.indices);
    try {
      await commitments.remove(pending);
    } catch (error) {
      // It stays, and a late answer to it is heeded.
      logger.error({ study: study.ref, error }, 'a storage commitment cannot be removed');
    }
  }

  #refused(operation: string, status: number): AppError {
    const { aeTitle } = this.#options.destination;
    return new AppError(
      'DELIVERY_FAILED',
      `${aeTitle} answered ${operation} with status ${statusText(status)}`,
    );
  }
}

/** Success, or a warning about an attribute: 0x0107, 0x0116 (PS3.7, 10.1.5.1.6). */
function wasCreated(status: number): boolean {
  return [0x0000, 0x0107, 0x0116].includes(status);
}
