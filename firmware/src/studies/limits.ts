/** Bytes of a data set that are held in memory until its study is known; headers are a few KiB, hostile ones are refused. */
export const headerBytesMax = 4_194_304;

/** Bytes after which the header is first looked at; each further look waits for twice as many, so looking stays linear. */
export const headerFirstLookBytes = 4_096;
