/** Bounds of the consensus core (docs/limits.md). */

/**
 * Votes and proposals for views further ahead than this are not kept: a box that is so far behind moves by
 * certificates, and a faulty validator can fill at most this many views of memory.
 */
export const viewsAheadMax = 16;

/**
 * Views behind the current one whose single votes are kept to find double votes. Older views without finality keep
 * their certificates and own votes only.
 */
export const viewsWithVotesMax = 64;

/**
 * Certificates that travel with a proposal to show its parent: one notarization and the nullifications since. Behind
 * a longer gap the receivers have passed those views themselves, or ask for them.
 */
export const justificationCertificatesMax = 32;

/** Certificates in one answer to a box that is behind; it asks again from where they brought it. */
export const helpCertificatesMax = 64;

/** Own finalize votes of views that are not final yet, newest first, sent again on each retransmission. */
export const finalizeVotesResentMax = 4;

/** Validators of one epoch: a certificate of this many signatures still fits a message (40 KiB). */
export const validatorsMax = 512;
