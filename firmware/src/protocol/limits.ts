/** Limits of the cryptographic formats. Those marked "format" are part of a byte format and never change alone. */

/** Format: bytes that one leaf of a commitment covers; also the segment of the object file. 1 MiB keeps proofs few and memory small. */
export const chunkBytes = 1_048_576;

/** Instances in one study: the largest in use (dynamic MR, tomosynthesis) stay below 30,000. */
export const studyInstancesMax = 65_536;

/** Bytes of one study, 256 GiB: far beyond any study in use, and its manifest still fits `manifestBytesMax`. */
export const studyBytesMax = 274_877_906_944;

/** Encoded manifest: `studyInstancesMax` entries of about 80 bytes and a 32-byte leaf for each MiB of `studyBytesMax`. */
export const manifestBytesMax = 16_777_216;

/** Description in a study's note, UTF-8 bytes. DICOM's long string (LO) has 64 characters of at most 4 bytes. */
export const noteTextBytesMax = 256;

/** UID, date or modality in a study's note, bytes: the longest that PS3.5 allows of them is the UID's 64 characters. */
export const noteShortTextBytesMax = 64;

/** Modalities named in a study's note; a study has one or two. */
export const noteModalitiesMax = 16;

/** Format: a study's note is padded to a multiple of this, so that its size tells nothing of its words. */
export const notePaddingBytes = 512;

/** Sealed note of a study with its tag: four paddings hold the longest content that the limits above allow. */
export const noteBytesMax = 2_064;

/** Purpose of a grant, UTF-8 bytes: one sentence; the note on the ledger has a fixed size. */
export const grantPurposeBytesMax = 160;

/** Person named in a grant, UTF-8 bytes: one name; the note on the ledger has a fixed size. */
export const grantPersonBytesMax = 96;

/** Format: padded content of a grant's note; the longest content that the limits allow fits. */
export const grantNoteContentBytes = 512;

/** Institution identifier, characters: it stands in every address and grant. */
export const institutionIdCharactersMax = 32;

/** Format: nonce of a reception ticket or a mailbox challenge. 128 bits never repeat by chance. */
export const nonceBytes = 16;

/** A DICOM UID has at most 64 characters (PS3.5, section 9.1). */
export const uidCharactersMax = 64;
