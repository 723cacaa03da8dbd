/** Presentation contexts that one association proposes: the most that PS3.8 allows (odd ids, 1 to 255). */
export const contextsPerAssociationMax = 128;

/** Waiting objects that are looked through for the contexts of a new association; others get a further association. */
export const objectsAheadMax = 4_096;

/** Kinds of object remembered per destination, so that an open association fits what comes next. */
export const recentKindsMax = 48;

/** An idle association is kept this long: a CT sends a slice a second, and a PACS counts its associations. */
export const associationIdleMs = 10_000;

/** How long the place in a queue may be behind on disk. After a power cut so much is sent a second time. */
export const entryFlushMs = 1_000;

/** Objects of one study that are sent before another study has its turn: no large study keeps a small one waiting. */
export const objectsPerTurn = 32;

/**
 * Objects of one study that failed for now, of which each is tried again at its own pace, before further ones of that
 * study have to wait; other studies go on.
 */
export const objectsDeferredMax = 16;

/**
 * Longest pause of a destination that makes associations and then takes no object of several studies: behind those it
 * does not take there may be one that it does.
 */
export const objectFailurePauseLongestMs = 60_000;

/** How long further objects of a study wait then: rarely enough for a full PACS, and behind bad ones there are good. */
export const studyHeldMs = 60_000;

/** Tries in vain after which an object is set aside, counted only while the destination took others. */
export const objectTriesMax = 8;

/** Bytes that are sent at once under a rate limit: no pause between them is so long that a PACS loses patience. */
export const pacedPieceBytes = 16_384;

/** Whether a time window is open is looked at this often. */
export const windowLookMs = 30_000;

/** Reasons of set-aside objects are clipped to so many characters. */
export const reasonCharactersMax = 200;

/** Objects of one Instance Availability Notification, a data set of 1 MB; larger studies are told in several. */
export const instancesPerNotificationMax = 5_000;

/** Objects of one storage commitment; a PACS looks each of them up before it answers. */
export const instancesPerCommitmentMax = 1_000;

/** How long the result of a commitment may take: archives commit at night. After it, it is asked for again. */
export const commitmentAnswerMsMax = 86_400_000;

/** Pause before a commitment is asked for again of objects that were sent again: archives need some minutes. */
export const commitmentRetryMs = 600_000;

/** Results in a row that deny an object of a study; after so many, such objects are set aside. */
export const commitmentFailuresMax = 5;
