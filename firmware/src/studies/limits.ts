/** Bytes of a data set that are held in memory until its study is known; headers are a few KiB, hostile ones are refused. */
export const headerBytesMax = 4_194_304;
