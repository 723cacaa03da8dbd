/** Bytes of plaintext in a segment of an object file, and the chunk that commitments hash (PROTOCOL: 1 MiB). */
export const segmentBytes = 1_048_576;

/** Manifest logs held open at once: the studies that modalities send just now. Linux allows 1024 files by default. */
export const openLogsMax = 64;
