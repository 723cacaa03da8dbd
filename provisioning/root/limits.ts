/** Bounds of the tool for offline keys. docs/limits.md repeats them; a test compares the two. */

/** scrypt with N = 2^17, r = 8 takes 128 MiB and half a second: a guess costs that, a custodian hardly notices. */
export const offlineScryptCost = 131_072;
/** scrypt's block size, the value of RFC 7914's examples. */
export const offlineScryptBlockSize = 8;
/** Shortest passphrase: a stolen key file is guessed at without a limit, so that it is as long as a few words. */
export const passphraseCharactersMin = 16;
/** Files are read up to this size: that of a restart order, which many hospitals sign. */
export const offlineFileBytesMax = 524_288;
/** A document that is signed offline may be brought to the ledger within this time: custodians meet seldom. */
export const documentDaysDefault = 30;
/** The floor of a restart lies so far above its block's view: what decision 0038 asks for at least, and as much again. */
export const restartFloorAheadDefault = 2_097_152;
