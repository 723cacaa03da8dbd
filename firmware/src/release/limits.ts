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

/**
 * How far ahead of the source's clock a receipt may be valid: what an honest grantee asks for, from a clock that is a
 * minute ahead. What is valid for longer could wait in every box's memory until it applies.
 */
export const receiptAheadMsMax = 2 * receiptValidMs;

/** How long a receipt may be open before it is an alarm, while its basis stands: longer than the largest study takes over a slow line. */
export const receiptOpenMsMax = 3_600_000;

/** How often a source looks after the receipts that it has signed; nobody waits for that alarm by the second. */
export const receiptsLookMs = 60_000;

/**
 * Receipts looked after at a time, some 30 ms; more only where there are so many that they would not all have their turn
 * within `looksOfRoundMax`.
 */
export const receiptsLookedAtMax = 512;

/** Looks in which all receipts have their turn: an hour, in which one that stays open becomes an alarm. */
export const looksOfRoundMax = 60;

/**
 * How long after its opening the alarm of a receipt stands whose basis has ended: 30 days. Whoever has not closed it by then
 * never will; the ledger and the disclosures tell of it for good.
 */
export const receiptGivenUpMs = 2_592_000_000;

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
