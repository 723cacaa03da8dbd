/** Every limit of the composition room, with its reason. docs/limits.md repeats this table; a test compares the two. */

/** How often a start says how far it has come: often enough that nobody takes it for dead, some ten lines for a large box. */
export const readingToldMs = 5_000;

/** Between two looks at the routes to modalities: whoever renews an address lease may set them anew. */
export const routeLookMs = 60_000;

/**
 * So long, and at most twice, the processors stay awake after the last object: a sender takes milliseconds from one to
 * the next, and a person who sends study after study some seconds, which are not worth the heat.
 */
export const awakeMs = 1000;

/** One run of `ip`: it asks the kernel and takes milliseconds; a start must not hang on it. */
export const routeCommandMsMax = 10_000;

/** Between two looks at the files of certificates, where watching their folders tells nothing (network drives). */
export const certificateLookMs = 60_000;

/** From a change of a file to the look at it: certificate and key are exchanged one after the other. */
export const certificateSettleMs = 2_000;

/** A certificate that ends within this time is told: 30 days, what a hospital's authority needs to issue another. */
export const certificateWarningMs = 2_592_000_000;

/** From here on it is told that modalities will stop sending: 7 days, one working week. */
export const certificateUrgentMs = 604_800_000;

/** One file of certificates: the authorities of a whole country have some 500 KB. */
export const certificateFileBytesMax = 1_048_576;

/** Epochs back to which a ticket's checkpoint reaches: with none handed over for so long a wallet starts at the genesis document. */
export const checkpointEpochsMax = 8;

/** How often the size of the ledger on the disk is measured, for the console. */
export const ledgerSizeMs = 60000;

/** A person who rotates the keys of the box waits this long for the block; it goes on by itself after that. */
export const rotationAnswerMsMax = 25_000;

/** A box that no member is connected with asks to be introduced after this time: a restart of the others takes less. */
export const introductionLonelyMs = 60_000;

/** It looks this often, and asks one member each time. */
export const introductionTickMs = 20_000;

/** A candidate's pass counts for a vote for so long: time to read it and to telephone. What ran then may be gone after it. */
export const candidateVerdictMsMax = 900_000;

/** A half of the recovery code is typed from the paper so often: a tired custodian needs two or three, nobody at all ends it. */
export const codeConfirmationsMax = 5;

/** What a firmware is measured as: a line for each register, bank and phase of the boot, and comments; some 2 KB. Characters. */
export const measuredFileCharactersMax = 65_536;

/** What a wallet submits is valid no longer: wallets say two minutes, and a clock may be off. */
export const walletTransactionValidMsMax = 600_000;

/** Revocations and objections of wallets that wait and do not apply yet: half of this institution's room for them. */
export const walletRevocationsWaitingMax = 128;

/** All else of wallets that waits and does not apply yet: half of this institution's room. */
export const walletTransactionsWaitingMax = 512;

/** How long what a wallet has left counts as waiting: twice what the ledger keeps it if it does not apply. */
export const walletLeftMs = 60_000;
