/** Well-known UIDs (PS3.6 annex A) and which abstract syntaxes are storage. */

/** DICOM Application Context Name (PS3.7 A.2.1). */
export const applicationContextName = '1.2.840.10008.3.1.1.1';
export const verificationSopClass = '1.2.840.10008.1.1';

/** Storage Commitment Push Model (PS3.4 J.3) and its well-known instance. */
export const storageCommitmentSopClass = '1.2.840.10008.1.20.1';
export const storageCommitmentSopInstance = '1.2.840.10008.1.20.1.1';
/** Modality Performed Procedure Step (PS3.4 F.7) and Instance Availability Notification (PS3.4 R.3). */
export const procedureStepSopClass = '1.2.840.10008.3.1.2.3.3';
export const availabilitySopClass = '1.2.840.10008.5.1.4.33';

export const implicitVrLittleEndian = '1.2.840.10008.1.2';
export const explicitVrLittleEndian = '1.2.840.10008.1.2.1';
export const deflatedExplicitVrLittleEndian = '1.2.840.10008.1.2.1.99';
export const explicitVrBigEndian = '1.2.840.10008.1.2.2';

/** Root 2.25 of ISO/IEC 9834-8: a UUID made once for Hilum, so that no registration is needed. */
export const implementationClassUid = '2.25.280499397916730147783960211963140352949';
/** At most 16 characters (PS3.7 D.3.3.2). */
export const implementationVersionName = 'HILUM_0_1';

const standardRoot = '1.2.840.10008.';
/** Where the standard puts its storage SOP classes; new ones appear here too. */
const storageArc = '1.2.840.10008.5.1.4.1.1.';

/** Not storage although under the storage arc (PS3.4 annexes HH, II and JJ: queries and services on inventories and protocols). */
const otherUnderStorageArc = new Set([
  '1.2.840.10008.5.1.4.1.1.200.4',
  '1.2.840.10008.5.1.4.1.1.200.5',
  '1.2.840.10008.5.1.4.1.1.200.6',
  '1.2.840.10008.5.1.4.1.1.201.2',
  '1.2.840.10008.5.1.4.1.1.201.3',
  '1.2.840.10008.5.1.4.1.1.201.4',
  '1.2.840.10008.5.1.4.1.1.201.5',
  '1.2.840.10008.5.1.4.1.1.201.6',
]);

/** Storage although elsewhere: retired print objects, delivery instructions, non-patient objects (PS3.4 annex GG). */
const storageElsewhere = new Set([
  '1.2.840.10008.5.1.1.27',
  '1.2.840.10008.5.1.1.29',
  '1.2.840.10008.5.1.1.30',
  '1.2.840.10008.5.1.4.34.1',
  '1.2.840.10008.5.1.4.34.7',
  '1.2.840.10008.5.1.4.34.10',
  '1.2.840.10008.5.1.4.38.1',
  '1.2.840.10008.5.1.4.39.1',
  '1.2.840.10008.5.1.4.43.1',
  '1.2.840.10008.5.1.4.44.1',
  '1.2.840.10008.5.1.4.45.1',
]);

/** True for every storage SOP class of the standard, also those to come, and for every private one. */
export function isStorageSopClass(uid: string): boolean {
  if (!isUid(uid)) return false;
  if (!uid.startsWith(standardRoot)) return true;
  if (uid.startsWith(storageArc)) return !otherUnderStorageArc.has(uid);
  return storageElsewhere.has(uid);
}

/** Of one UID (PS3.5 9.1). */
export const uidCharactersMax = 64;

/**
 * Digits and dots, at most 64 (PS3.5 9.1). Components with leading zeros pass: some modalities make them, and
 * refusing their objects would lose images.
 */
export function isUid(text: string): boolean {
  return /^[0-9][0-9.]{0,63}$/.test(text);
}
