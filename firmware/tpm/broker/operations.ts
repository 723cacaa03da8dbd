/** What the broker does for its parent, and how both talk: one message for one operation, one answer. */
import type { ErrorCode } from '../../src/errors.ts';
import type { ObjectBlob } from '../wire/structures.ts';

/** A key or secret with what must hold for its use. */
export interface Guarded {
  readonly blob: ObjectBlob;
  /** The Name of the storage root key under which it was made: sessions are salted to no other. */
  readonly rootName: Uint8Array;
  /** Registers of the policy, SHA-256 bank. */
  readonly registers: readonly number[];
}

/** Where a new object is made, and under which policy. */
export interface Creation {
  readonly rootName: Uint8Array;
  /** authPolicy, 32 bytes. */
  readonly policy: Uint8Array;
}

/** A swtpm that must not outlive the process that started it. */
export interface SimulatorProcess {
  readonly pid: number;
  readonly stateFolder: string;
  readonly socketFolder: string;
}

export interface Operations {
  /** Opens the TPM; the first operation of every broker. */
  open: { request: { readonly tcti: string; readonly simulator?: SimulatorProcess }; answer: null };
  /** Name of the storage root key, 34 bytes. */
  rootName: { request: null; answer: Uint8Array };
  /** Values of registers of the SHA-256 bank, in the order asked for. */
  readPcrs: { request: { readonly registers: readonly number[] }; answer: Uint8Array[] };
  /** Bytes from the TPM's generator, over an encrypted session. */
  random: { request: { readonly rootName: Uint8Array; readonly length: number }; answer: Uint8Array };
  createIdentity: { request: Creation; answer: ObjectBlob };
  seal: { request: Creation & { readonly secret: Uint8Array }; answer: ObjectBlob };
  unseal: { request: Guarded; answer: Uint8Array };
  /** ECDSA over a SHA-256 digest: r ‖ s as the TPM gave it. */
  sign: { request: Guarded & { readonly digest: Uint8Array }; answer: Uint8Array };
  /** The counter of starts, made if there is none; one step further if told to. */
  startCounter: { request: { readonly rootName: Uint8Array; readonly advance: boolean }; answer: number };
  /** True while the TPM is in dictionary-attack lock-out. */
  lockedOut: { request: null; answer: boolean };
  /** Shuts the TPM down in order and ends the broker. */
  close: { request: null; answer: null };
}

export type OperationName = keyof Operations;

/** Each operation with its request, so that the broker's switch is exhaustive. */
export type Call = {
  [Name in OperationName]: { readonly operation: Name; readonly request: Operations[Name]['request'] };
}[OperationName];

export type Question = Call & { readonly id: number };

export type Failure =
  | {
      readonly kind: 'response';
      readonly command: string;
      readonly code: number;
      readonly codeName: string;
    }
  | { readonly kind: 'fault'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'bug'; readonly message: string };

export type Reply = { readonly id: number } & (
  { readonly answer: Operations[OperationName]['answer'] } | { readonly failure: Failure }
);
