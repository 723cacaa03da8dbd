/**
 * The broker: the one process that talks to the TPM. A TPM that hangs blocks a thread of its user for ever, and even
 * process.exit(); as a process of its own it can be killed and made anew.
 */
import { AppError } from '../../src/errors.ts';
import { brokerStopMsMax } from '../limits.ts';
import { TpmError } from '../response-code.ts';
import { killSimulator } from '../simulator/orphan.ts';
import type {
  Call,
  Failure,
  OperationName,
  Operations,
  Question,
  Reply,
  SimulatorProcess,
} from './messages.ts';
import { keepingOperations, tpmOperations, type TpmOperations } from './registry.ts';
import { Tpm } from './tpm.ts';

let tpm: Tpm | undefined;
let simulator: SimulatorProcess | undefined;
let queue: Promise<void> = Promise.resolve();

function openTpm(): Tpm {
  if (!tpm) throw new Error('the first operation must be open');
  return tpm;
}

async function performOnTpm<Name extends keyof TpmOperations>({
  operation,
  request,
}: Call<Name>): Promise<TpmOperations[Name]['answer']> {
  const opened = openTpm();
  if (!keepingOperations.has(operation)) await opened.releaseKept();
  return tpmOperations[operation](opened, request);
}

async function perform(call: Call): Promise<Operations[OperationName]['answer']> {
  if (call.operation === 'open') {
    simulator = call.request.simulator;
    tpm = await Tpm.open(call.request.tcti);
    return null;
  }
  if (call.operation === 'close') {
    await tpm?.close();
    tpm = undefined;
    return null;
  }
  return performOnTpm(call);
}

function failureOf(error: unknown): Failure {
  if (error instanceof TpmError) {
    return { kind: 'response', command: error.command, code: error.code };
  }
  if (error instanceof AppError) return { kind: 'fault', code: error.code, message: error.message };
  return { kind: 'bug', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function answer(question: Question): Promise<void> {
  let reply: Reply;
  try {
    reply = { id: question.id, answer: await perform(question) };
  } catch (error) {
    reply = { id: question.id, failure: failureOf(error) };
  }
  // After the parent's death nobody listens; the disconnect handler ends this process.
  if (process.connected) process.send?.(reply);
}

/** Ends also while a thread hangs in the TPM, which process.exit() would wait for. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** @returns the exit status. */
async function finish(): Promise<number> {
  try {
    await queue;
    await tpm?.close();
    return 0;
  } catch (failure) {
    process.stderr.write(`tpm broker: the TPM was not shut down in order: ${String(failure)}\n`);
    return 1;
  }
}

/** The parent is gone: nobody else will end what it started. */
function orphaned(): void {
  setTimeout(() => {
    if (simulator) killSimulator(simulator);
    endNow();
  }, brokerStopMsMax);
  void finish().then((status) => {
    if (simulator) killSimulator(simulator);
    process.exit(status);
  });
}

process.on('message', (question: Question) => {
  queue = queue.then(() => answer(question));
});
process.on('disconnect', orphaned);
