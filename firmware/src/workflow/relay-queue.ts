/**
 * Messages of procedure steps on their way to the department system (RIS, PACS broker): on disk with the step, sent in
 * order, tried until the destination answers. What it refuses is told and left out, so that it holds up nothing.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type {
  Clock,
  HealthBoard,
  KeyValueChange,
  KeyValueStore,
  Logger,
  ProcedureStepMessage,
  RelayProcedureStep,
  Service,
} from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { relayBytesWaitingMax, relayMessagesWaitingMax } from './limits.ts';

export interface RelayQueueOptions {
  /** What the health list calls the destination: its AE title. */
  readonly destination: string;
  readonly send: RelayProcedureStep;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  readonly limits?: RelayQueueLimits;
}

export interface RelayQueueLimits {
  readonly relayMessagesWaitingMax: number;
  readonly relayBytesWaitingMax: number;
}

/** A message that is about to be written together with its step. */
export interface Addition {
  readonly change: KeyValueChange;
  /** It is on disk. */
  written(): void;
  /** It could not be written. */
  withdraw(): void;
}

type RelayedMessage = Parameters<RelayProcedureStep>[0];

interface Waiting {
  readonly number: number;
  readonly bytes: number;
}

const prefix = 'procedure-step-relay/';
const defaultLimits: RelayQueueLimits = { relayMessagesWaitingMax, relayBytesWaitingMax };

/** PS3.7 C.4.2: an N-CREATE whose answer was lost is there already. */
const duplicateSopInstance = 0x0111;

/** In the order of the numbers. */
function keyOf(number: number): string {
  return prefix + String(number).padStart(16, '0');
}

export class RelayQueue implements Service {
  readonly #options: RelayQueueOptions;
  readonly #waiting: Waiting[] = [];
  readonly #stopping = new AbortController();
  #next = 0;
  #count = 0;
  #bytes = 0;
  #running: Promise<void> | undefined;

  constructor(options: RelayQueueOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for await (const [key, value] of this.#options.store.list(prefix)) {
      const number = Number(key.slice(prefix.length));
      this.#next = number + 1;
      this.#reserve(value.length);
      this.#waiting.push({ number, bytes: value.length });
    }
    this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Messages that the destination has not answered yet. */
  get size(): number {
    return this.#count;
  }

  /** Takes a place at the end; the caller writes the change and says how that went. */
  add(message: ProcedureStepMessage): Addition | 'full' {
    const { limits = defaultLimits } = this.#options;
    const { kind, sopInstanceUid, transferSyntaxUid, dataSetBytes } = message;
    const value = encodeCanonical({ kind, sopInstanceUid, transferSyntaxUid, dataSetBytes });
    if (
      this.#count >= limits.relayMessagesWaitingMax ||
      this.#bytes + value.length > limits.relayBytesWaitingMax
    )
      return 'full';
    const waiting = { number: this.#next++, bytes: value.length };
    this.#reserve(value.length);
    return {
      change: { put: keyOf(waiting.number), value },
      written: () => {
        this.#waiting.push(waiting);
        this.#work();
      },
      withdraw: () => this.#giveBack(value.length),
    };
  }

  #reserve(bytes: number): void {
    this.#count += 1;
    this.#bytes += bytes;
  }

  #giveBack(bytes: number): void {
    this.#count -= 1;
    this.#bytes -= bytes;
  }

  #work(): void {
    if (this.#waiting.length > 0) this.#running ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const { clock, health, logger, destination } = this.#options;
    const signal = this.#stopping.signal;
    let failures = 0;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (signal.aborted) return;
      try {
        await this.#send(first);
        this.#waiting.shift();
        this.#giveBack(first.bytes);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ destination, error }, 'a procedure step could not be sent on, will be tried again');
        const detail = error instanceof AppError ? error.message : 'a fault of this box';
        health.raise('DELIVERY_FAILED', subjectOf(destination), detail);
        await Promise.allSettled([clock.sleep(retryPauseMs(failures), signal)]);
        failures += 1;
      }
    }
    // In the same turn as the last look: what comes from now on starts a run of its own.
    this.#running = undefined;
  }

  async #send({ number }: Waiting): Promise<void> {
    const { store, send, health, logger, destination } = this.#options;
    const key = keyOf(number);
    const value = await store.get(key);
    if (value === undefined) throw new AppError('STORE_CORRUPT', 'A procedure step is missing in the index.');
    const message = decodeCanonical(value) as unknown as RelayedMessage;
    const status = await send(message, this.#stopping.signal);
    await store.write([{ delete: key }]);
    const isTaken = status === 0 || (message.kind === 'create' && status === duplicateSopInstance);
    if (isTaken) {
      health.clear('DELIVERY_FAILED', subjectOf(destination));
      return;
    }
    const answer = `0x${status.toString(16).padStart(4, '0').toUpperCase()}`;
    logger.warn({ destination, message: message.kind, status: answer }, 'a procedure step was refused');
    health.raise(
      'DELIVERY_FAILED',
      subjectOf(destination),
      `It refused the N-${message.kind.toUpperCase()} of a procedure step with status ${answer}; it is not sent again.`,
    );
  }
}

function subjectOf(destination: string): string {
  return `procedure steps to ${destination}`;
}
