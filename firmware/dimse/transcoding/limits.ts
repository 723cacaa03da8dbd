/** Largest data set that is transcoded, bytes: it is held in memory once. A longer one is set aside with that reason. */
export const transcodedBytesMax = 268_435_456;

/** Largest frame, bytes: it is held decoded and encoded at once, in a memory of the codecs that does not shrink. */
export const frameBytesMax = 134_217_728;

/** Elements of a data set that is transcoded, nested ones included; the same as a header may have times ten. */
export const transcodedElementsMax = 1_000_000;

/** Nesting of sequences in a data set that is transcoded. */
export const transcodedDepthMax = 64;

/** One frame may take this long; a codec that hangs in a hostile code stream is ended with its thread. */
export const frameMsMax = 60_000;

/** An idle codec thread ends after this long: its memory does not shrink by itself. */
export const threadIdleMs = 30_000;
