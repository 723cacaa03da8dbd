/** What a verifier found, check by check, for people to read before they vote and for a box to act on. */

import type { ResetCount } from './attest.ts';

/** In the order in which they are judged. */
export const checkNames = [
  'endorsement-chain',
  'endorsement-key',
  'attestation-key',
  'identity-key',
  'device-policy',
  'certification',
  'quote-signature',
  'nonce',
  'credential',
  'resets',
  'registers',
  'measured',
  'event-log',
  'boot-authority',
  'firmware',
  'key-origin',
  'record',
  'device',
  'keys',
] as const;

export type CheckName = (typeof checkNames)[number];

export interface Check {
  readonly name: CheckName;
  readonly passed: boolean;
  /** One sentence. It names no secret and no patient. */
  readonly finding: string;
}

export interface Verdict {
  /** Every check passed. */
  readonly passed: boolean;
  /** One for each name, in their order. */
  readonly checks: readonly Check[];
  /** The endorsement certificate is a simulator's: the box has no TPM that anybody vouches for. */
  readonly development: boolean;
  /** Values of `attestedRegisters` that the quote proves; undefined if it proves none. */
  readonly registers: readonly Uint8Array[] | undefined;
  /** Of the TPM, that the quote proves; undefined if it proves none. */
  readonly resetCount: ResetCount | undefined;
  /**
   * SHA-256 of the endorsement key's SubjectPublicKeyInfo (DER), where its TPM has proved that it holds it; else undefined.
   * Unlike the digest of its certificate nobody can choose it: one certificate has many encodings that verify.
   */
  readonly endorsementKey: Uint8Array | undefined;
}

export const passed = (name: CheckName, finding: string): Check => ({ name, passed: true, finding });
export const failed = (name: CheckName, finding: string): Check => ({ name, passed: false, finding });

/** What was not reached counts as not passed. */
export function verdictOf(checks: readonly Check[], found: Omit<Verdict, 'passed' | 'checks'>): Verdict {
  const byName = new Map(checks.map((check) => [check.name, check]));
  const all = checkNames.map(
    (name) => byName.get(name) ?? failed(name, 'Not judged, since a check before it failed.'),
  );
  return { passed: all.every((check) => check.passed), checks: all, ...found };
}

/** The first check that failed: the reason that is logged and told with an alarm. */
export function firstFailure({ checks }: Verdict): Check | undefined {
  return checks.find((check) => !check.passed);
}
