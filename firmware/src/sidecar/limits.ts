/** Every limit of the side-car room, with its reason. docs/limits.md repeats this table; a test compares the two. */

/** Studies pulled from the archive at once: it serves the hospital first. */
export const pullsAtOnceMax = 2;

/** A C-MOVE of one study may take this long in all, a day: beyond it a study that never ends holds up the others. */
export const pullMsMax = 86_400_000;

/** How often a study is asked for that the archive lists and cannot tell of, before it is left out. */
export const studyTriesMax = 3;

/** How often a closed time window is looked at again. */
export const windowLookMs = 60_000;

/** Studies named by notifications that wait to be registered by reference; beyond it the backfill finds them. */
export const announcedMax = 10_000;
