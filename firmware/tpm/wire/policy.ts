/**
 * Policies as steps, and the digest that the TPM makes of them (part 3, section 23): the same list says what a session
 * has to do and what the authPolicy of an object is.
 */
import { concatBytes, u16, u32, u64 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { commandCode, digestBytes, nvComparison, policyBranchesMax } from './constants.ts';
import { nvNameOf } from './nv.ts';
import { pcrSelection } from './structures.ts';

/** What PCRs must hold for a key to be usable. */
export interface PcrPolicy {
  /** Registers of the SHA-256 bank, ascending. */
  readonly registers: readonly number[];
  /** One value for each register, 32 bytes. */
  readonly values: readonly Uint8Array[];
}

export type PolicyStep =
  /** TPM2_PolicyPCR (23.7): the registers hold these values. */
  | { readonly kind: 'pcr'; readonly pcrs: PcrPolicy }
  /** TPM2_PolicyNV (23.9): the counter at this index is at this value or below. */
  | { readonly kind: 'counter'; readonly index: Uint8Array; readonly valueMax: number }
  /** TPM2_PolicyOR (23.6): what was satisfied until here is one of these, 2 to 8. */
  | { readonly kind: 'or'; readonly branches: readonly Uint8Array[] }
  /** TPM2_PolicyAuthorizeNV (23.22): what was satisfied until here is what the index holds now. */
  | { readonly kind: 'approval'; readonly index: Uint8Array };

/** What a session holds before its first step, and after those that replace all that went before. */
const startDigest = new Uint8Array(digestBytes);

/** TPM2_PolicyNV's operand: the counter's value, 8 bytes. */
export const counterOperand = (valueMax: number): Uint8Array => u64(valueMax);

/** What a session holds after TPM2_PolicyNV on a counter. */
export function counterDigest(before: Uint8Array, index: Uint8Array, valueMax: number): Uint8Array {
  const offset = 0;
  const args = sha256(concatBytes(counterOperand(valueMax), u16(offset), u16(nvComparison.unsignedAtMost)));
  return sha256(concatBytes(before, u32(commandCode.policyNv), args, nvNameOf(index)));
}

/** The digest of a policy that holds if one of the branches does. */
export function policyOrDigest(branches: readonly Uint8Array[]): Uint8Array {
  if (branches.length < 2 || branches.length > policyBranchesMax)
    throw new RangeError(`PolicyOR takes 2 to ${policyBranchesMax} branches`);
  return sha256(concatBytes(startDigest, u32(commandCode.policyOr), ...branches));
}

function stepDigest(before: Uint8Array, step: PolicyStep): Uint8Array {
  switch (step.kind) {
    case 'pcr': {
      const { registers, values } = step.pcrs;
      if (registers.length !== values.length)
        throw new RangeError('a PCR policy needs one value for each register');
      const held = sha256(concatBytes(...values));
      return sha256(concatBytes(before, u32(commandCode.policyPcr), pcrSelection(registers), held));
    }
    case 'counter':
      return counterDigest(before, step.index, step.valueMax);
    case 'or':
      return policyOrDigest(step.branches);
    case 'approval':
      return sha256(concatBytes(startDigest, u32(commandCode.policyAuthorizeNv), nvNameOf(step.index)));
  }
}

/** The authPolicy that these steps satisfy, 32 bytes. */
export function policyDigest(steps: readonly PolicyStep[]): Uint8Array {
  return steps.reduce(stepDigest, startDigest);
}

/** The authPolicy of an object that only TPM2_PolicyPCR opens. */
export function pcrPolicyDigest(pcrs: PcrPolicy): Uint8Array {
  return policyDigest([{ kind: 'pcr', pcrs }]);
}

/**
 * Policy of whoever has a signature by this key over the session's nonce (TPM2_PolicySigned, 23.3) and then the
 * authorization value of that object (TPM2_PolicySecret, 23.4), both without policyRef.
 */
export function signedAndSecretDigest(keyName: Uint8Array, objectName: Uint8Array): Uint8Array {
  const withEntity = (before: Uint8Array, code: number, name: Uint8Array): Uint8Array =>
    // PolicyUpdate() of part 3, 23.2.3: first code and Name, then the (empty) policyRef.
    sha256(sha256(concatBytes(before, u32(code), name)));
  const signed = withEntity(startDigest, commandCode.policySigned, keyName);
  return withEntity(signed, commandCode.policySecret, objectName);
}

/** What a PolicySigned signature covers (part 3, 23.3.1): nonceTPM ‖ expiration 0, no cpHash, no policyRef. */
export function signedPolicyMessage(nonceTpm: Uint8Array): Uint8Array {
  return concatBytes(nonceTpm, u32(0));
}
