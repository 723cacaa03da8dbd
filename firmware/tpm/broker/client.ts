import { AppError } from '../../src/errors.ts';
import type { Logger } from '../../src/ports.ts';
import type { TpmEndpoint } from '../endpoint.ts';
import { brokerStartMsMax, brokerStopMsMax, pendingOperationsMax } from '../limits.ts';
import { systemTimer, type TimerSource } from '../timer.ts';
import type { OperationName, Operations } from './messages.ts';
import { patienceWith } from './patience.ts';
import { BrokerProcess } from './process.ts';

export interface BrokerClientOptions {
  readonly endpoint: TpmEndpoint;
  readonly logger: Logger;
  /** The system's timers unless told. */
  readonly clock?: TimerSource;
}

/**
 * The TPM as seen from Hilum's main process. One operation at a time; a broker that does not answer in time is killed,
 * and the next operation forks a new one. So does a broker that lost its TPM or died.
 */
export class BrokerClient {
  readonly #endpoint: TpmEndpoint;
  readonly #logger: Logger;
  readonly #clock: TimerSource;
  readonly #forgetLoss: () => void;
  #broker: BrokerProcess | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closed = false;

  constructor({ endpoint, logger, clock }: BrokerClientOptions) {
    this.#endpoint = endpoint;
    this.#logger = logger;
    this.#clock = clock ?? systemTimer;
    this.#forgetLoss = endpoint.onLost(() => this.#drop(new AppError('TPM_ABSENT', 'the TPM has ended')));
  }

  /**
   * @throws AppError TPM_ABSENT, TPM_WRONG, TPM_POLICY, TPM_LOCKED_OUT, TPM_TIMEOUT, TPM_LIBRARY_MISSING,
   * TPM_SIMULATOR_MISSING, STORE_CORRUPT (an altered blob) or TPM_FAILED.
   */
  call<Name extends OperationName>(
    operation: Name,
    request: Operations[Name]['request'],
  ): Promise<Operations[Name]['answer']> {
    if (this.#closed) return Promise.reject(new AppError('TPM_FAILED', 'the TPM is closed'));
    if (this.#pending >= pendingOperationsMax) {
      return Promise.reject(
        new AppError('TPM_FAILED', `more than ${pendingOperationsMax} operations wait for the TPM`),
      );
    }
    return this.#serialised(() => this.#call(operation, request));
  }

  /** Waits for what is under way, shuts the TPM down and ends the broker. Never fails: a hung broker is killed. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#serialised(async () => {
      this.#forgetLoss();
      const broker = this.#broker;
      this.#broker = undefined;
      if (!broker) return;
      try {
        await broker.call('close', null, brokerStopMsMax);
      } catch (failure) {
        this.#logger.warn({ failure: String(failure) }, 'the TPM was not shut down in order');
      }
      await broker.kill();
    });
  }

  #serialised<T>(run: () => Promise<T>): Promise<T> {
    this.#pending++;
    const result = this.#queue.then(run).finally(() => this.#pending--);
    // The caller gets the failure; the next operation runs all the same.
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #call<Name extends OperationName>(
    operation: Name,
    request: Operations[Name]['request'],
  ): Promise<Operations[Name]['answer']> {
    const broker = await this.#usableBroker();
    try {
      return await broker.call(operation, request, patienceWith(operation));
    } finally {
      if (!broker.usable && this.#broker === broker) this.#drop();
    }
  }

  async #usableBroker(): Promise<BrokerProcess> {
    if (this.#broker?.usable) return this.#broker;
    this.#drop();
    const target = await this.#endpoint.open();
    const broker = BrokerProcess.fork(this.#clock);
    this.#broker = broker;
    try {
      await broker.call('open', target, brokerStartMsMax);
    } catch (failure) {
      await broker.kill();
      throw failure;
    }
    this.#logger.debug({ tcti: target.tcti }, 'TPM opened');
    return broker;
  }

  #drop(reason?: AppError): void {
    const broker = this.#broker;
    this.#broker = undefined;
    if (broker) void broker.kill(reason);
  }
}
