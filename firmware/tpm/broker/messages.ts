/** How the broker and its parent talk: one message for one operation, one answer. */
import type { ErrorCode } from '../../src/errors.ts';
import type { TpmOperations } from './registry.ts';

/** A swtpm that must not outlive the process that started it. */
export interface SimulatorProcess {
  readonly pid: number;
  readonly stateFolder: string;
  readonly socketFolder: string;
}

/** The broker's own: they make and end what the others work on. */
interface LifeOperations {
  /** Opens the TPM; the first operation of every broker. */
  open: { request: { readonly tcti: string; readonly simulator?: SimulatorProcess }; answer: null };
  /** Shuts the TPM down in order and ends the broker. */
  close: { request: null; answer: null };
}

export type Operations = LifeOperations & TpmOperations;

export type OperationName = keyof Operations;

/** Each of these operations with its request. */
export type Call<Among extends OperationName = OperationName> = {
  [Name in Among]: { readonly operation: Name; readonly request: Operations[Name]['request'] };
}[Among];

export type Question = Call & { readonly id: number };

export type Failure =
  | {
      readonly kind: 'response';
      readonly command: string;
      readonly code: number;
    }
  | { readonly kind: 'fault'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'bug'; readonly message: string };

export type Reply = { readonly id: number } & (
  { readonly answer: Operations[OperationName]['answer'] } | { readonly failure: Failure }
);
