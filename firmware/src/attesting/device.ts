import type { Claim } from '../attestation/messages.ts';

/** This box's TPM, as far as it attests. All but `eventLog` and a claim that was made before take it for a while. */
export interface AttestingDevice {
  /** The same at each call, as long as the box runs. @throws AppError of the TPM. */
  claim(): Promise<Claim>;
  /**
   * The secret of a credential; undefined if it was not made for the keys of the claim.
   * @param blob TPMS_ID_OBJECT.
   * @param seed TPMU_ENCRYPTED_SECRET.
   * @throws AppError of the TPM.
   */
  activate(blob: Uint8Array, seed: Uint8Array): Promise<Uint8Array | undefined>;
  /** A quote of `attestedRegisters` over these bytes: TPMS_ATTEST, and r ‖ s. @throws AppError of the TPM. */
  quote(binding: Uint8Array): Promise<{ readonly attest: Uint8Array; readonly signature: Uint8Array }>;
  /** Values of `attestedRegisters`, 32 bytes each. @throws AppError of the TPM. */
  registers(): Promise<readonly Uint8Array[]>;
  /** What was measured at this boot. @throws AppError if it cannot be read. */
  eventLog(): Promise<Uint8Array>;
}
