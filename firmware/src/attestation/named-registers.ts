/** What a consortium says of register values: which boot authorities it named, and which releases it accepted. */
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { attestedRegisters } from './messages.ts';

/** The register that says who vouches for what is started: Secure Boot. */
export const authorityRegister = 7;
/** The register in which the firmware is measured. */
export const firmwareRegister = 11;
/** What a register holds into which nothing was measured since the boot. */
export const unmeasured = new Uint8Array(32);

/** @param values of `attestedRegisters`, in their order; one that is missing counts as unmeasured. */
export function registerOf(values: readonly Uint8Array[], register: number): Uint8Array {
  return values[attestedRegisters.indexOf(register)] ?? unmeasured;
}

export function isNamed(value: Uint8Array, authorities: readonly Uint8Array[]): boolean {
  return authorities.some((authority) => equalBytes(authority, value));
}

/** What a register holds after this digest, and nothing else, was measured into it since the boot. */
function afterOnly(digest: Uint8Array): Uint8Array {
  return sha256(concatBytes(unmeasured, digest));
}

/**
 * A release is named by what PCR 11 holds when its firmware runs, or by the one digest that is measured there. Only what
 * the register holds in the end counts: an entry of the log proves no more than that something was measured at some time,
 * before or after another firmware.
 */
export function isOfRelease(value: Uint8Array, releases: readonly Uint8Array[]): boolean {
  return releases.some((release) => equalBytes(release, value) || equalBytes(afterOnly(release), value));
}
