/** Limits of the TPM room. docs/limits.md holds the same rows; a test compares them. */

/** Native memory that one ESYS call may use for its structures: the largest needs about 20 KiB. */
export const arenaBytesMax = 65_536;

/** No TPM 2.0 structure that we pass is larger: TPM2B_NV_PUBLIC, TPMS_CAPABILITY_DATA and attestations stay below 3 KiB. */
export const structureBytesMax = 4_096;

/** TPM2B_DIGEST holds at most one digest of the largest hash that Debian's libraries know, SHA-512. */
export const randomBytesPerCallMax = 32;

/** A sealed secret: MAX_SYM_DATA of the TCG PC Client profile. */
export const sealedBytesMax = 128;

/** Bytes of one TPM2_NV_Read: every PC Client TPM reads this many, some read 1,024 (TPM_PT_NV_BUFFER_MAX). */
export const nvReadBytesMax = 512;

/** An endorsement certificate, or one of its chain: vendors' are 1 to 2 KiB. */
export const endorsementCertificateBytesMax = 4_096;

/** One index of the vendor's authorities: some store all of them there, one after the other, and fill up. */
export const endorsementChainBytesMax = 16_384;

/** Certificates between an endorsement key's and its root; vendors store two or three. */
export const endorsementChainLengthMax = 8;

/** Real chips make a P-256 key in about a second and sign in 200 ms; one that needs longer than this hangs. */
export const operationMsMax = 15_000;

/** A chip that spares its memory refuses a write that comes too soon after others, and did nothing (TPM_RC_NV_RATE): how long
 * until it is asked again. Often enough for a write that needs a second, seldom enough to leave the chip its rest. */
export const nvRatePauseMs = 250;

/** Some chips derive a key from a hierarchy's seed in tens of seconds: an RSA endorsement key takes the search for two primes. */
export const derivationMsMax = 120_000;

/** Forking Node, loading four libraries and opening the TPM takes 0.5 s; a busy two-core ARM box needs several times that. */
export const brokerStartMsMax = 20_000;

/** Leave to shut the TPM down in order before the broker is killed; a stop must not hang on a hung TPM. */
export const brokerStopMsMax = 3_000;

/** Operations that may wait for the TPM. At 200 ms each, the last of them waits 13 s. */
export const pendingOperationsMax = 64;

/** Five sealed secrets and one key take 4 KiB; more is not a keys file. */
export const keysFileBytesMax = 65_536;

/** sockaddr_un.sun_path holds 108 bytes with its closing zero (unix(7)). */
export const socketPathBytesMax = 107;

/** swtpm answers its first command within 100 ms of its start; a machine under load needs longer. */
export const simulatorStartMsMax = 20_000;

/** Orderly end of swtpm; after this it is killed, which its state survives as a power cut. */
export const simulatorStopMsMax = 2_000;

/** Making the simulator's keys and certificates takes 1.2 s; RSA key generation varies by a factor of ten. */
export const simulatorSetupMsMax = 60_000;

/** How often a starting swtpm is asked whether it listens yet. */
export const simulatorPollMs = 10;

/** Keys of one purpose in the keys file: the one in use, the next one, and some that were named while the ledger stood. */
export const heldKeysMax = 16;

/** Wrong authorization values until the TPM locks out, for objects of others: none of the box's own counts. */
export const failedTriesMax = 32;

/** One failed try is forgotten after ten minutes, as the TCG's provisioning guidance proposes for such a number of tries. */
export const triesForgottenAfterS = 600;

/** After a wrong lock-out authorization the next start is waited for: nobody guesses 256 bits, and an intruder's try must not
 * keep the box from ending a lock-out for longer. */
export const lockoutRecoveryS = 0;

/** Approvals since an old keys file that a rescue with it retires besides: a hospital has a few updates in a year. */
export const unknownApprovalsMax = 16;

/** Two keys of 32 bytes in HPKE take 141 bytes; more is not a recovery file. */
export const recoveryFileBytesMax = 4_096;
