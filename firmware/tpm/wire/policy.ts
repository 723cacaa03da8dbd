/** Policy digests, computed as the TPM computes them (part 3, section 23). */
import { concatBytes, u32 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { commandCode, digestBytes } from './constants.ts';
import { pcrSelection } from './structures.ts';

/** What PCRs must hold for a key to be usable. */
export interface PcrPolicy {
  /** Registers of the SHA-256 bank, ascending. */
  readonly registers: readonly number[];
  /** One value for each register, 32 bytes. */
  readonly values: readonly Uint8Array[];
}

/** The authPolicy of an object that only TPM2_PolicyPCR (part 3, 23.7) opens. */
export function pcrPolicyDigest({ registers, values }: PcrPolicy): Uint8Array {
  if (registers.length !== values.length)
    throw new RangeError('a PCR policy needs one value for each register');
  return sha256(
    concatBytes(
      new Uint8Array(digestBytes),
      u32(commandCode.policyPcr),
      pcrSelection(registers),
      sha256(concatBytes(...values)),
    ),
  );
}
