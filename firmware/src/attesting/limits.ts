/** Bounds of what members ask of each other's TPMs, each with its reason. A chip makes a few operations a second. */

/** Attestations that wait for the TPM: ten chip operations each, so that the last one is done within a minute. */
export const answersWaitingMax = 8;

/** A member is answered this often at most: two rounds, and a repetition of them. */
export const memberAnswerMsMin = 10_000;

/**
 * All who are no members together are answered this often at most: they share what members leave of the TPM. A challenge
 * that could not be answered takes no such turn from the others, and an answered address no second one while others wait.
 */
export const strangerAnswerMsMin = 5_000;

/** Strangers wait only while fewer than these do, of whom all may be members: a member that hears "busy" may alarm. */
export const strangersWaitingMax = 2;

/**
 * So long a stranger's address is remembered: one whose challenge this box could not answer, which is refused meanwhile; one
 * that was answered, which makes room meanwhile for those that wait; and one that waits. A voting member asks a candidate
 * again only after minutes, and one wrong challenge costs the TPM half a second.
 */
export const strangerHoldMs = 60_000;

/** Addresses that are remembered of each of these kinds; beyond them the oldest is forgotten. */
export const strangersRememberedMax = 1024;

/** One request of an attestation, with all that wait before it. */
export const attestationRequestMsMax = 60_000;

/** After a start the members are asked within this time: not all at once, and not a whole interval later. */
export const firstAskMsMax = 600_000;

/** An interval is the consortium's, and up to so many percent more or less, so that nobody knows when he is asked. */
export const intervalSpreadPercent = 50;

/**
 * A member that was not reached, or was busy, is asked again after this time, or a tenth of the interval, with the same
 * spread.
 */
export const retryMsMax = 300_000;

/**
 * A member that put its questioner off so often in a row, while it was connected or came for releases in between, counts as
 * silent: some ten minutes, in which a box may start or its TPM be busy, and too few to run another firmware until a time of
 * one's own choice.
 */
export const refusalsMax = 3;

/** A member that nobody reached for so many intervals counts as silent. */
export const silentIntervals = 3;

/** The list of members is looked at this often at least, for those who joined and left. */
export const lookMsMax = 60_000;
