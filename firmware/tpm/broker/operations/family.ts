/** How a family of operations is written: what it takes and gives, and for each operation the function that does it. */
import type { Tpm } from '../tpm.ts';

/** Requests and answers by operation. Both cross a process boundary: plain data and Uint8Array only. */
export type Signatures<Name extends string = string> = Record<
  Name,
  { readonly request: unknown; readonly answer: unknown }
>;

export type Handlers<Family extends Signatures<Extract<keyof Family, string>>> = {
  readonly [Name in keyof Family]: (
    tpm: Tpm,
    request: Family[Name]['request'],
  ) => Promise<Family[Name]['answer']>;
};
