/** Limits of the wallet, its light client and the contract between a box and wallets. */

/** State proofs in one request: 32 keys of about 75 characters stay far below the 16 KiB that Node reads of a request head. */
export const proofKeysMax = 32;

/** Longest state key: two ids of 64 hexadecimal digits and two names fit; longer ones name nothing. */
export const stateKeyCharactersMax = 160;

/** Largest transaction that a wallet sends: a grant that brings its leaf is under 2 KiB, a revocation smaller. */
export const walletTransactionBytesMax = 4_096;

/** A wallet gives up on a request after this: a box waits up to 30 s for finality, and the answer must travel. */
export const requestTimeoutMs = 45_000;

/** Studies in one mailbox answer. A patient with more at one source is served the newest; 1,000 is a lifetime of imaging. */
export const mailboxEntriesMax = 1_000;

/** Largest answer that a wallet reads: a full mailbox of notes of 1 KiB in hexadecimal, with room to spare. */
export const answerBytesMax = 16_777_216;

/** A one-time ticket code is short enough to be typed when no camera works. */
export const ticketCodeCharactersMax = 64;

/** Genesis document that a wallet accepts: a few hundred institutions of about 700 bytes. */
export const genesisBytesMax = 1_048_576;

/** A handover in an answer, the same as in handover/limits.ts. */
export const handoverBytesMax = 393_216;

/** Sealed note in a mailbox answer: today's longest has 2,064 bytes; other kinds of record may have longer ones. */
export const mailboxNoteBytesMax = 4_096;

/** A head that is older than this by the wallet's clock is refused: boxes finalise one every 10 s, and phones' clocks err. */
export const headAgeMsMax = 120_000;

/** A head from the future beyond this means a wrong clock, the wallet's or the consortium's: nothing is judged by it. */
export const headAheadMsMax = 60_000;

/** An epoch's validators are trusted for so long after its beginning: 90 days. Who comes later needs a new checkpoint. */
export const trustMsMax = 7_776_000_000;

/** Handovers that a wallet follows in one reading: 90 days of epochs of half an hour. */
export const handoversFollowedMax = 4_320;

/** How long a wallet's transaction may wait for its block before it lapses: twelve heartbeats. */
export const transactionValidMs = 120_000;

/** How long a wallet waits until a box can prove what it called final: a block follows every 10 s. */
export const proofWaitMsMax = 20_000;

/** Between two tries to have it proved. */
export const proofRetryMs = 250;

/** Longest grant, days: one year; who wants more grants again. */
export const grantDaysMax = 366;

/** Most opens of one grant: each is a receipt that stays on the ledger. */
export const grantOpensMax = 1_000;

/** Institutions at which one wallet is bound: a patient's hospitals. */
export const boxesMax = 64;

/** Grants that a wallet remembers. At one a day this lasts for years. */
export const grantsMax = 10_000;

/** Encoded wallet: its grants, about 600 bytes each, and the validators whom it trusts. */
export const walletBytesMax = 8_388_608;
