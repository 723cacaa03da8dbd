/** Bounds of restart orders (docs/limits.md). */

/**
 * Views between the last one that the order goes on from and the first one in which is voted again: as many as boxes
 * could go through in three hours at a hundred a second, and in years at the usual pace.
 */
export const restartViewsMin = 1048576;

/** Bytes of an order with its signatures: 512 institutions with eight root keys each are 430 KB. */
export const restartOrderBytesMax = 524288;

/** Data items of an order: four of each signature, of which 5,000 have room, and three of each of 512 that abstain. */
export const restartOrderItemsMax = 32768;
