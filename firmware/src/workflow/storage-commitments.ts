/**
 * Storage commitments that modalities ask for (PS3.4 annex J). A request is on disk before it is answered; its result
 * is reported on an association of our own, and tried until the requestor takes it or the time is over. One requestor
 * that is switched off holds up no other.
 */
import { createHash, randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type {
  Clock,
  CommitmentAcceptance,
  CommitmentRequest,
  HealthBoard,
  KeyValueStore,
  Logger,
  ReportCommitment,
  Service,
} from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { decodeCommitment, encodeCommitment } from './commitment-records.ts';
import { commitmentResult } from './commitment-result.ts';
import { commitmentInstancesWaitingMax, commitmentReportMsMax, commitmentsWaitingMax } from './limits.ts';

export interface StorageCommitmentsOptions {
  readonly store: KeyValueStore;
  /** The SOP class of an object that the box holds; nothing for one that it does not hold, or has quarantined. */
  readonly sopClassOf: (sopInstanceUid: string) => string | undefined;
  readonly report: ReportCommitment;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  readonly limits?: StorageCommitmentLimits;
}

export interface StorageCommitmentLimits {
  readonly commitmentsWaitingMax: number;
  readonly commitmentInstancesWaitingMax: number;
}

/** What is known in memory of one that waits; its objects are on disk only. */
interface Waiting {
  readonly key: string;
  readonly callingAeTitle: string;
  readonly transactionUid: string;
  readonly instances: number;
  readonly at: number;
}

/** A request whose result is not delivered yet, by its requestor and Transaction UID. */
interface Asked {
  /** Which objects it named. */
  readonly digest: string;
  /** Resolves when it is on disk. */
  readonly written: Promise<void>;
}

/** The commitments of one requestor, oldest first, and the one run that reports them. */
interface Requestor {
  readonly waiting: Waiting[];
  running: Promise<void> | undefined;
  /** Ends the pause before the next try. */
  wake: AbortController;
}

const defaultLimits: StorageCommitmentLimits = { commitmentsWaitingMax, commitmentInstancesWaitingMax };
const prefix = 'commitment/';
const healthCode = 'COMMITMENT_UNDELIVERED';

export class StorageCommitments implements Service {
  readonly #options: StorageCommitmentsOptions;
  readonly #requestors = new Map<string, Requestor>();
  readonly #asked = new Map<string, Asked>();
  readonly #stopping = new AbortController();
  #count = 0;
  #instances = 0;

  constructor(options: StorageCommitmentsOptions) {
    this.#options = options;
  }

  /** What waited when the box was stopped is reported first. */
  async start(): Promise<void> {
    const found: Waiting[] = [];
    for await (const [key, value] of this.#options.store.list(prefix)) {
      const { request, at } = decodeCommitment(value);
      found.push(waitingOf(key, request, at));
      this.#asked.set(transactionOf(request), { digest: digestOf(request), written: Promise.resolve() });
    }
    for (const waiting of found.toSorted((a, b) => a.at - b.at)) this.#enqueue(waiting);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { running } of [...this.#requestors.values()]) await running;
  }

  /** Commitments whose result is not delivered yet. */
  get waiting(): number {
    return this.#count;
  }

  /**
   * On disk when it resolves with 'accepted'. A Transaction UID stands for one request (PS3.4 J.3.2.1.1): the same one
   * again is a repetition, another one under it is refused, for a result names its request by that UID alone.
   * @throws AppError STORE_FAILED.
   */
  async accept(request: CommitmentRequest): Promise<CommitmentAcceptance> {
    const { logger, limits = defaultLimits } = this.#options;
    const { callingAeTitle, instances } = request;
    const asked = this.#asked.get(transactionOf(request));
    if (asked !== undefined) return this.#repeat(request, asked);
    if (
      this.#count >= limits.commitmentsWaitingMax ||
      this.#instances + instances.length > limits.commitmentInstancesWaitingMax
    ) {
      logger.warn({ callingAeTitle, waiting: this.#count }, 'too many storage commitments wait');
      return 'full';
    }
    // Known and counted before it is on disk, so that many at once stay within the bounds and the same comes once.
    const written = this.#write(request);
    this.#asked.set(transactionOf(request), { digest: digestOf(request), written });
    await written;
    return 'accepted';
  }

  async #repeat(request: CommitmentRequest, { digest, written }: Asked): Promise<CommitmentAcceptance> {
    const { callingAeTitle } = request;
    if (digest !== digestOf(request)) {
      this.#options.logger.warn(
        { callingAeTitle },
        'another storage commitment under a Transaction UID in use',
      );
      return 'transaction in use';
    }
    await written;
    // It asks again because it heard nothing: it is there, so the next try may succeed.
    this.#requestors.get(callingAeTitle)?.wake.abort();
    return 'accepted';
  }

  async #write(request: CommitmentRequest): Promise<void> {
    const { store, clock } = this.#options;
    const waiting = waitingOf(prefix + toHex(randomBytes(16)), request, clock.now());
    this.#reserve(waiting);
    try {
      await store.write([{ put: waiting.key, value: encodeCommitment({ request, at: waiting.at }) }]);
    } catch (error) {
      this.#giveBack(waiting);
      throw error;
    }
    this.#run(waiting);
  }

  #enqueue(waiting: Waiting): void {
    this.#reserve(waiting);
    this.#run(waiting);
  }

  #reserve({ instances }: Waiting): void {
    this.#count += 1;
    this.#instances += instances;
  }

  #giveBack(waiting: Waiting): void {
    this.#count -= 1;
    this.#instances -= waiting.instances;
    this.#asked.delete(transactionOf(waiting));
  }

  #run(waiting: Waiting): void {
    const { callingAeTitle } = waiting;
    const requestor = this.#requestors.get(callingAeTitle) ?? {
      waiting: [],
      running: undefined,
      wake: new AbortController(),
    };
    this.#requestors.set(callingAeTitle, requestor);
    requestor.waiting.push(waiting);
    requestor.wake.abort();
    requestor.running ??= this.#reportAll(callingAeTitle, requestor);
  }

  /** One after the other, so that a modality is not asked for many associations at once. */
  async #reportAll(callingAeTitle: string, requestor: Requestor): Promise<void> {
    let failures = 0;
    for (let next = requestor.waiting[0]; next !== undefined; next = requestor.waiting[0]) {
      if (this.#stopping.signal.aborted) return;
      if (await this.#settle(next)) {
        requestor.waiting.shift();
        this.#giveBack(next);
        failures = 0;
        continue;
      }
      await this.#rest(requestor, retryPauseMs(failures));
      failures += 1;
    }
    // In the same turn as the last look: what comes from now on starts a run of its own.
    this.#requestors.delete(callingAeTitle);
  }

  /** True when it needs no further try. A fault of the box's own disk is tried again too: nothing is lost by it. */
  async #settle(waiting: Waiting): Promise<boolean> {
    const { clock, logger, health } = this.#options;
    const { callingAeTitle, at } = waiting;
    try {
      await this.#report(waiting);
      health.clear(healthCode, callingAeTitle);
      return true;
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      logger.warn({ callingAeTitle, error }, 'the result of a storage commitment could not be delivered');
      const detail = error instanceof AppError ? error.message : 'a fault of this box';
      if (clock.now() - at < commitmentReportMsMax) {
        health.raise(healthCode, callingAeTitle, detail);
        return false;
      }
      return this.#giveUp(waiting, detail);
    }
  }

  async #report({ key, callingAeTitle, instances }: Waiting): Promise<void> {
    const { store, sopClassOf, report, logger } = this.#options;
    const value = await store.get(key);
    if (value === undefined)
      throw new AppError('STORE_CORRUPT', 'A storage commitment is missing in the index.');
    const { request } = decodeCommitment(value);
    const result = commitmentResult(request, sopClassOf);
    await report(request, result, this.#stopping.signal);
    await store.write([{ delete: key }]);
    logger.info(
      { callingAeTitle, instances, failed: result.failed.length },
      'result of a storage commitment delivered',
    );
  }

  async #giveUp({ key, callingAeTitle }: Waiting, detail: string): Promise<boolean> {
    const { store, logger, health } = this.#options;
    health.raise(
      healthCode,
      callingAeTitle,
      `Given up after ${commitmentReportMsMax / 3_600_000} hours: ${detail}`,
    );
    try {
      await store.write([{ delete: key }]);
      return true;
    } catch (error) {
      logger.error({ callingAeTitle, error }, 'a storage commitment that was given up cannot be removed');
      return false;
    }
  }

  /** Until the time is over, or the requestor is heard of. */
  async #rest(requestor: Requestor, ms: number): Promise<void> {
    requestor.wake = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(ms, resolve);
    const signal = AbortSignal.any([requestor.wake.signal, this.#stopping.signal]);
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    timer.cancel();
  }
}

function waitingOf(
  key: string,
  { callingAeTitle, transactionUid, instances }: CommitmentRequest,
  at: number,
): Waiting {
  return { key, callingAeTitle, transactionUid, instances: instances.length, at };
}

/** Neither an AE title nor a UID has a backslash. */
function transactionOf(request: Pick<CommitmentRequest, 'callingAeTitle' | 'transactionUid'>): string {
  return `${request.callingAeTitle}\\${request.transactionUid}`;
}

/** Of what a request names, in whatever order. */
function digestOf({ instances }: CommitmentRequest): string {
  const names = instances.map(({ sopClassUid, sopInstanceUid }) => `${sopClassUid}\\${sopInstanceUid}`);
  return createHash('sha256').update(names.toSorted().join('\n')).digest('hex');
}
