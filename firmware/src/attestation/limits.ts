/** Bounds of the attestation room, each with its reason. */

/** One X.509 certificate; those of TPM vendors take 1 to 2 KB. */
export const certificateBytesMax = 4_096;

/** From the endorsement key's certificate up to the root: vendors have one or two authorities between them. */
export const certificatesMax = 8;

/** TPM2B_PUBLIC: an RSA-4096 key takes 600 bytes. */
export const publicAreaBytesMax = 1_024;

/** TPMS_ATTEST (TPM 2.0 part 2, 10.12.8): a quote of all registers takes 200 bytes. */
export const attestBytesMax = 512;

/** TPMS_CREATION_DATA (TPM 2.0 part 2, 15.1) with two Names and no outside information: 130 bytes. */
export const creationBytesMax = 256;

/** ECDSA P-256: r ‖ s. */
export const signatureBytes = 64;

/** Events of a log: a boot has one or two hundred. */
export const eventsMax = 4_096;

/** Banks in a log: a TPM has at most a handful. */
export const banksMax = 8;

/** What a verifier encrypts to the endorsement key. */
export const credentialSecretBytes = 32;

/** What makes a quote fresh. */
export const nonceBytes = 32;

/** Randomness for one challenge: nonce, secret, and a seed that is spread over a scalar of P-384 (72 bytes) at most. */
export const challengeRandomBytes = nonceBytes + credentialSecretBytes + 72;

/** TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET of a challenge: an RSA-4096 key makes 514 bytes. */
export const credentialBytesMax = 1_024;

/** An institution's record as the ledger has it, with names and endpoints. */
export const recordBytesMax = 16_384;

/** Data items of that record: 69 with 16 root keys. */
export const recordItemsMax = 128;

/** A request: a challenge at most. */
export const requestBytesMax = 4_096;

/** An answer: the longest event log with a record and a quote; a claim with all its certificates is much shorter. */
export const answerBytesMax = 327_680;
