import { chunkBytes } from '../protocol/limits.ts';

/**
 * Body of one frame of an append-only log: what one fsync makes durable. The largest is a group of blocks that become
 * final together; each has at most 1.1 MiB.
 */
export const frameBytesMax = 33554432;

/** Space that a log takes ahead, in zeroed steps, unless its owner says otherwise: some thousand votes. */
export const allocationBytesDefault = 1048576;

/** Plaintext bytes in a segment of an object file: the chunk that commitments hash, so that each is read and verified alone. */
export const segmentBytes = chunkBytes;

/** Manifest logs held open at once: the studies that modalities send just now. Linux allows 1024 files by default. */
export const openLogsMax = 64;

/** Space that a study's manifest takes ahead, bytes: room for some fifty objects, since most studies are small. */
export const manifestAllocationBytes = 16_384;

/** Segment buffers kept for the next object: as many as associations that send at once on a busy day. */
export const segmentBuffersIdleMax = 16;

/**
 * Space of the vote log, bytes, and of its spare, taken whole at the first start: thrice what it holds when it is begun
 * anew, for the frames around short votes and the blocks that are not final yet. A full disk then never ends voting.
 */
export const voteLogAllocationBytes = 25165824;
