/** Bounds of the tool for offline keys. docs/limits.md repeats them; a test compares the two. */

/** scrypt with N = 2^17, r = 8 takes 128 MiB and half a second: a guess costs that, a custodian hardly notices. */
export const offlineScryptCost = 131_072;
/** scrypt's block size, the value of RFC 7914's examples. */
export const offlineScryptBlockSize = 8;
/** Shortest passphrase: a stolen key file is guessed at without a limit, so that it is as long as a few words. */
export const passphraseCharactersMin = 16;
/** A key file and a document are read up to this size: a document of 16 root keys has some 12 KB. */
export const offlineFileBytesMax = 65_536;
/** A document that is signed offline may be brought to the ledger within this time: custodians meet seldom. */
export const documentDaysDefault = 30;
