/** Limits of what a box tells of its TPM and others read: one value for both, so that no honest box is refused for its length. */

/** A boot with Secure Boot measures its whole list of revoked signatures (some 30 KB); the kernel keeps up to 64 KB. */
export const eventLogBytesMax = 262_144;
