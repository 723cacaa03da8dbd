/** Response codes of a TPM and of the libraries before it (TPM 2.0 part 2, section 6.6; TSS 2.0 overview, 3.4). */

/** A command that the TPM, or the library on the way to it, answered with something other than success. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  /** The function that failed: `Esys_Unseal`. */
  readonly command: string;
  /** TPM_RC or TSS2_RC. */
  readonly code: number;
  /** As Tss2_RC_Decode says it. */
  readonly codeName: string;

  constructor(command: string, code: number, codeName: string) {
    super(`${command}: ${codeName} (0x${code.toString(16)})`);
    this.command = command;
    this.code = code;
    this.codeName = codeName;
  }
}

export type ResponseKind =
  /** A policy was not satisfied: the PCRs are not the ones of the policy. */
  | 'policy'
  /** Dictionary-attack lock-out. */
  | 'locked-out'
  /** A blob was altered, or belongs under another parent. */
  | 'integrity'
  /** An NV index that was defined has no value yet. */
  | 'no-value'
  /** tpm2-tss has no such transport. */
  | 'no-transport'
  /** The way to the TPM is cut; the context cannot be used any more. */
  | 'connection'
  | 'other';

const layerOf = (code: number): number => (code >>> 16) & 0xff;
const tpmLayer = 0x00;
const marshalLayer = 0x09;
const tctiLayer = 0x0a;
/** The kernel's and the user-space resource manager pass the TPM's own codes on in their layers. */
const resourceManagerLayers = [0x0b, 0x0c];

/** TSS2_BASE_RC_NOT_SUPPORTED: the loader found no library for the TCTI's name. */
const notSupported = 0x15;

/** TPM_RC_NV_UNINITIALIZED. */
const nvUninitialized = 0x14a;
const warningLockout = 0x921;
const warningPcrChanged = 0x128;

/** Format-one codes carry the number of a handle, session or parameter in bits 6 and 8 to 11. */
const formatOne = 0x80;
const formatOneMask = 0xbf;
const formatOneKinds = new Map<number, ResponseKind>([
  [0x9d, 'policy'], // TPM_RC_POLICY_FAIL
  [0x9f, 'integrity'], // TPM_RC_INTEGRITY
]);

function tpmKind(code: number): ResponseKind {
  if (code === warningLockout) return 'locked-out';
  if (code === warningPcrChanged) return 'policy';
  if (code === nvUninitialized) return 'no-value';
  if ((code & formatOne) !== 0) return formatOneKinds.get(code & formatOneMask) ?? 'other';
  return 'other';
}

export function kindOf(code: number): ResponseKind {
  const layer = layerOf(code);
  if (layer === tpmLayer || resourceManagerLayers.includes(layer)) return tpmKind(code & 0xffff);
  if (layer === tctiLayer && (code & 0xffff) === notSupported) return 'no-transport';
  if (layer === marshalLayer) return 'other';
  // Whatever else fails outside the TPM leaves the ESYS context in an unknown state (a TCTI failure wedges it: 0x70007).
  return 'connection';
}
