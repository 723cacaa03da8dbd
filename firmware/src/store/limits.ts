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

/**
 * Places of one segment each in the memory that the event loop shares with the threads that seal, 16 MiB: eight large
 * objects at a time have two, one that fills and one that is written. For what comes beyond, work is done on the event
 * loop: nobody waits for a place that a sender holds who stalls.
 */
export const sharedSegmentsMax = 16;

/**
 * Threads that hash and seal, one fewer than processors: one thread takes 1.2 GB/s, and three more than the event loop
 * can read.
 */
export const sealThreadsMax = 3;

/**
 * Until threads that could not be started are tried again: a shortage of memory or of processes passes within minutes,
 * and a try costs some milliseconds.
 */
export const sealThreadRetryMs = 60_000;

/**
 * Up to this many bytes an object is hashed and sealed on the event loop, which takes 60 µs: to tell a thread and to hear
 * of it costs the event loop 20 to 30 µs, and the sender some 100 µs.
 */
export const sealedOnLoopBytesMax = 65_536;

/**
 * A thread that has ended what was there is told again when so many bytes more are: to wake it costs the event loop 20 to
 * 50 µs, and they take it 0.2 ms, which is what the sender waits for at the end of the object.
 */
export const sealMessageBytesMin = 262_144;

/**
 * Sealed at a time: the ciphertext has memory of its own until it is copied over the plaintext, and what is longer is
 * taken from the machine and given back each time, which costs more than the sealing.
 */
export const sealStepBytes = 65_536;

/** Smaller pieces of memory are left to the garbage collector: giving them back by hand costs more, bytes. */
export const spentBytesMin = 4096;

/** Random bytes drawn from the system at a time: enough for some fifty objects and their records. */
export const freshRandomBytes = 4096;

/**
 * Logs of studies held open at once, by two descriptors each: the studies that modalities send just now. Linux allows
 * 1024 files by default.
 */
export const openLogsMax = 64;

/** A record of a study's log. The longest is that of an object of 128 GiB, with 32 bytes for each MiB of it. */
export const frameRecordBytesMax = 4_194_304;

/** What stands beside a record in a study's log: an object of one segment with its header and tag. */
export const frameDataBytesMax = segmentBytes + 4096;

/**
 * Frames of a study's log that are flushed together; the frame that passes it is the last of its group. As much as eight
 * associations bring at once, and little enough to be verified whole after a power cut.
 */
export const groupBytesMax = 8_388_608;

/**
 * Space that a study's log takes ahead, in zeros: a flush within it changes nothing but the bytes, and takes two thirds
 * of the time. As much as stands in the log already, but so much at least, since most studies are small.
 */
export const aheadBytesMin = 65_536;

/** The same at most: all logs that are open take 64 MiB of the disk with it. It is given back when a study rests. */
export const aheadBytesMax = 1_048_576;

/** A frame for which space is taken ahead, bytes: for larger ones, writing all bytes twice costs more than it saves. */
export const aheadFrameBytesMax = 65_536;

/**
 * Zeros of a spare log, bytes: most studies of slices have less. Studies write at most so much besides what they hold,
 * which a disk has to bear as well.
 */
export const spareLogBytes = 268_435_456;

/** What a log may hold when it moves into a spare: it is copied, while its sender waits, bytes. */
export const movedBytesMax = 1_048_576;

/** Zeros that are written and flushed at a time, bytes: some milliseconds of the disk, for which a study may have to wait. */
export const spareStepBytes = 1_048_576;

/** Nothing was written to studies for so long: longer than most modalities pause between two objects. */
export const spareQuietMs = 500;

/** Until spares are tried again on a disk that had no room for them: room comes from people, not within seconds. */
export const spareRetryMs = 60_000;

/**
 * A write to a file that is done where it is asked for: 16 pages into the page cache take 0.1 ms, a thread to do it
 * another 0.05 ms, and as long as it waits for a processor. What is longer would hold up everybody else.
 */
export const writtenAtOnceBytesMax = 65_536;

/** Read at once of a study's log at start: head and record of a frame, which are one or two KiB, without its object. */
export const logReadBytes = 16_384;

/**
 * The same where frames are small, with their objects: to read 20 KB that nobody needs takes 2 µs from the page cache, and
 * less from a disk than to come back for what follows; to ask for them takes 50.
 */
export const smallFramesReadBytes = 262_144;

/** A frame up to which it counts as small, bytes: several stand in what is then read at once. */
export const smallFrameBytesMax = 65_536;

/**
 * Studies that are opened side by side at start: while one waits for the disk, others are decrypted. Each holds what is
 * read of its log at once, and the records of one study until the catalogue takes them.
 */
export const studiesOpenedAtOnceMax = 8;

/**
 * Bytes of a large object that are written before their flush begins, while it still arrives: what is left to be flushed
 * at its end is then little, and the memory of the machine does not fill up with what the disk has not taken.
 */
export const flushEveryBytes = 16_777_216;

/**
 * Space of the vote log, bytes, and of its spare, taken whole at the first start: thrice what it holds when it is begun
 * anew, for the frames around short votes and the blocks that are not final yet. A full disk then never ends voting.
 */
export const voteLogAllocationBytes = 25165824;

/** Files that the disk did not let go and that are removed as soon as it does; the next start removes what is beyond. */
export const leftoversMax = 10_000;

/** Damaged vote logs that are put aside: a disk that damages more of them is to be replaced before the box votes again. */
export const damagedLogsMax = 8;

/** Bytes after which the block log goes on in another file: what is dropped at once, and read at a start. */
export const segmentBytesMax = 67108864;

/** Older files of it that are kept open, for boxes that catch up: one each for a few of them. */
export const openSegmentsMax = 4;
