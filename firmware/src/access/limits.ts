/** Bounds of the access list. docs/limits.md repeats them; a test compares the two. */

/** Callers that administrators admitted on the console: four large departments; all of them fit into one list. */
export const callersKeptMax = 200;

/** Address ranges of one caller: the networks of a large site. */
export const addressRangesMax = 32;

/** Certificates of one caller: the old one and the new one of each of its nodes. */
export const callerCertificatesMax = 16;

/** Called AE titles to which one caller can be confined: more than a box has. */
export const calledAeTitlesMax = 16;

/** Characters of a common name (ITU-T X.520, ub-common-name). */
export const commonNameCharactersMax = 64;

/** Refused callers that are remembered, at most 2 kB each, half a megabyte in all; the largest network's most eager address gives way first. */
export const pendingCallersMax = 256;

/** SOP classes that are remembered of a refused caller: enough to tell a CT from a workstation. */
export const pendingSopClassesMax = 24;

/** A refused caller that has not come again for this long is forgotten: 30 days, a modality between two projects. */
export const pendingMsMax = 2_592_000_000;

/** A dismissed caller that still comes is shown again after this time: 7 days, so that none is forgotten for good. */
export const dismissedMsMax = 604_800_000;

/** Refused callers are written to disk at most this often: whoever floods the port does not wear out the disk. */
export const pendingWriteMsMin = 10_000;
