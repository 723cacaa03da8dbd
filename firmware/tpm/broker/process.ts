import { fork, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../src/errors.ts';
import { faultOf } from '../fault.ts';
import { kindOf, type ResponseKind } from '../response-code.ts';
import type { TimerSource } from '../timer.ts';
import type { Failure, OperationName, Operations, Reply } from './messages.ts';

/** Beside this file, with its ending: `.ts` as checked out, `.js` as emitted for the image. */
const brokerFile = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));

/** The broker needs little of its parent's environment, and tpm2-tss would write to stderr. */
function brokerEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { TSS2_LOG: 'all+none' };
  for (const name of ['PATH', 'LD_LIBRARY_PATH']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

interface Waiting {
  resolve(answer: Operations[OperationName]['answer']): void;
  reject(failure: Error): void;
}

/** One broker process, seen from its parent. */
export class BrokerProcess {
  readonly #child: ChildProcess;
  readonly #clock: TimerSource;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #usable = true;

  private constructor(child: ChildProcess, clock: TimerSource) {
    this.#child = child;
    this.#clock = clock;
    this.#ended = new Promise((resolve) => child.once('exit', () => resolve()));
    child.on('message', (reply: Reply) => this.#settle(reply));
    child.on('error', (cause) =>
      this.#abandon(new AppError('TPM_FAILED', 'the TPM broker failed', { cause })),
    );
    child.on('exit', (status, signal) =>
      this.#abandon(new AppError('TPM_FAILED', `the TPM broker ended (${signal ?? `status ${status}`})`)),
    );
  }

  /** A group of its own: Ctrl-C in a terminal reaches the parent alone, which stops the broker in order. */
  static fork(clock: TimerSource): BrokerProcess {
    return new BrokerProcess(
      fork(brokerFile, {
        execPath: process.execPath,
        execArgv: [],
        env: brokerEnvironment(),
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        detached: true,
      }),
      clock,
    );
  }

  /** False from the moment on when it died, hung or lost its TPM. */
  get usable(): boolean {
    return this.#usable;
  }

  /** @throws AppError TPM_TIMEOUT if no answer came in time: the process is killed then; else as BrokerClient.call. */
  call<Name extends OperationName>(
    operation: Name,
    request: Operations[Name]['request'],
    timeoutMs: number,
  ): Promise<Operations[Name]['answer']> {
    if (!this.#usable) return Promise.reject(new AppError('TPM_FAILED', 'the TPM broker has ended'));
    const id = ++this.#lastId;
    return new Promise<Operations[Name]['answer']>((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => {
        this.#abandon(
          new AppError('TPM_TIMEOUT', `the TPM did not answer ${operation} within ${timeoutMs} ms`),
        );
        void this.kill();
      });
      this.#waiting.set(id, {
        resolve: (answer) => {
          timer.cancel();
          resolve(answer);
        },
        reject: (failure) => {
          timer.cancel();
          reject(failure);
        },
      });
      this.#child.send({ id, operation, request });
    });
  }

  /** Resolves when the process is gone. What is under way fails for this reason. */
  async kill(reason = new AppError('TPM_FAILED', 'the TPM broker was ended')): Promise<void> {
    this.#abandon(reason);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return; // an answer that came after its time-out
    this.#waiting.delete(reply.id);
    if ('failure' in reply) {
      if (endsBroker(reply.failure)) this.#usable = false;
      waiting.reject(faultOf(reply.failure));
    } else {
      waiting.resolve(reply.answer);
    }
  }

  #abandon(failure: AppError): void {
    this.#usable = false;
    for (const waiting of this.#waiting.values()) waiting.reject(failure);
    this.#waiting.clear();
  }
}

/**
 * After these the TPM is as it was: it refused, perhaps what a stranger sent (a credential). Any other failure leaves the
 * broker's connection or handles in doubt.
 */
const harmlessKinds: readonly ResponseKind[] = ['policy', 'locked-out', 'integrity', 'no-value', 'refused'];

function endsBroker(failure: Failure): boolean {
  if (failure.kind === 'response') return !harmlessKinds.includes(kindOf(failure.code, failure.command));
  return failure.kind === 'bug';
}
