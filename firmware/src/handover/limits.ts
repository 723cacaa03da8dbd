/** Bounds of handovers (docs/limits.md). */

/**
 * Bytes of a handover: with 512 validators two lists of signatures of 40 KiB each and their record of 80 KiB, which
 * leaves as much again.
 */
export const handoverBytesMax = 393216;

/** Data items of a handover: three of each signature in two lists of 512, and a handful. */
export const handoverItemsMax = 4096;
