/** Limits of the wallet, its light client and the contract between a box and wallets. */

/** State proofs in one request: 32 keys of about 75 characters stay far below the 16 KiB that Node reads of a request head. */
export const proofKeysMax = 32;

/** Longest state key: `open/`, 64 hexadecimal digits, `/` and a number fit; longer ones name nothing. */
export const stateKeyCharactersMax = 100;

/** Largest transaction that a wallet sends: a grant is under 1.5 KiB, a revocation far smaller. */
export const walletTransactionBytesMax = 4_096;

/** How long a box holds a transaction request open while it waits for finality, which takes a second when all is well. */
export const transactionWaitMsMax = 30_000;

/** A wallet gives up on a request after this: the longest wait of a box and time for the answer to travel. */
export const requestTimeoutMs = 45_000;

/** Studies in one mailbox answer. A patient with more at one source is served the newest; 1,000 is a lifetime of imaging. */
export const mailboxEntriesMax = 1_000;

/** Largest answer that a wallet reads: a full mailbox of notes of 1 KiB in hexadecimal, with room to spare. */
export const answerBytesMax = 16_777_216;

/** A one-time ticket code is short enough to be typed when no camera works. */
export const ticketCodeCharactersMax = 64;

/** Genesis document that a wallet accepts: a few hundred institutions of about 700 bytes. */
export const genesisBytesMax = 1_048_576;
