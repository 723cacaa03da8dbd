/** A source releases only on a ledger state whose last final block is at most this old (PROTOCOL.md, "Freshness"). */
export const headAgeMsMax = 30_000;

/**
 * And at most this far ahead of the own clock: no more was voted for, so that this clock is behind, and would take the
 * ledger for fresh longer than the 45 s promise allows.
 */
export const headAheadMsMax = 10_000;

/** While streaming the source looks again this often and cuts; with the age and the skew it makes the 45 s promise. */
export const recheckMs = 5_000;

/** Every refusal of what was not admitted is answered exactly this long after it was asked for: timing tells nothing. */
export const refusalAnswerMs = 1_000;

/** How long an opening or closing receipt may wait for a block. */
export const receiptValidMs = 60_000;

/** Bytes of a release request: a receipt's body with its signature. */
export const releaseRequestBytesMax = 4_096;

/**
 * Refusals in a row that a grantee takes for a source that is behind, while the ledger says that the grant stands: with
 * the pauses between them some four minutes, in which a box that was down catches up.
 */
export const refusalsMax = 8;

/** Disclosures and refusals that the console lists; all of them stay in the store. */
export const disclosuresListedMax = 500;

/** Studies fetched at a time: forty priors granted at once must neither fill the disk's queue nor the source's line. */
export const fetchesAtOnceMax = 4;

/** Objects of one stream that wait for the disk while the next come in: as many segment buffers are held. */
export const objectsFinishingMax = 4;

/**
 * Releases that one member may open here in an epoch (24 h), but for emergencies, which count for who declares them: an
 * eighth of what the ledger lets a source sign, two records each. More than the studies that the largest hospital makes in two weeks.
 */
export const opensOfMemberMax = 8_192;
