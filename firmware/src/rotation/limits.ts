/** Bounds of how keys are replaced. docs/limits.md repeats them; a test compares the two. */

/** Certified keys expire after two years: a box that was off for long comes back with those that it has. */
export const keysValidMs = 2 * 365 * 86_400_000;

/** An alarm this long before they expire: rotation has failed for a long time then, and a person must look. */
export const keysExpireSoonMs = 60 * 86_400_000;

/** Whether a rotation is due, and old keys can be erased, is looked at this often. */
export const rotationTickMs = 60_000;

/** A rotation that did not come about is tried again after an hour by itself. */
export const rotationRetryMs = 3_600_000;

/** A rotation may wait this long for its block. */
export const rotationValidMs = 600_000;

/** The record changes under a rotation when the voting key of the next epoch is named; twice in a row is chance enough. */
export const rotationTriesMax = 3;

/** Keys by which the box recognises what it signed before rotations: what waits for a block is minutes old. */
export const earlierKeysMax = 4;
