/** Bytes of a data set that are held in memory until its study is known; headers are a few KiB, hostile ones are refused. */
export const headerBytesMax = 4_194_304;

/**
 * Objects of one SOP Instance UID with which another of that UID is compared, the latest. Each costs a pass over its bytes;
 * who sends one UID with ever other bytes pays with time, and a repetition of an older one is kept again rather than lost.
 */
export const sameUidComparedMax = 8;

/** Bytes of a data set that are copied and looked at in one go until its header is complete: most headers have less. */
export const headerPieceBytes = 8192;
