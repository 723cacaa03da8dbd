/**
 * A study's note: what its owner must know of it. It lies in the source's erasable mailbox; the ledger holds the
 * SHA-256 of the ciphertext only. AES-256-GCM under Expand(prk, "note" ‖ u32 i ‖ C, 32), zero nonce, over canonical
 * CBOR padded to multiples of 512 bytes.
 *
 * One key seals one plaintext ever. The key is bound to the commitment C, so a changed note needs a changed C: an
 * amendment that leaves C as it is (closing a study) must keep the note and its hash as they are.
 */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { sha256 } from '../encoding/hash.ts';
import { saltBytes } from './commitments.ts';
import { decodeIfCanonical, isBytes, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import {
  noteBytesMax,
  noteModalitiesMax,
  notePaddingBytes,
  noteShortTextBytesMax,
  noteTextBytesMax,
  studyBytesMax,
  studyInstancesMax,
} from './limits.ts';
import { deriveNoteKey } from './one-time-keys.ts';
import { openSealed, pad, sealOnce, unpad } from './sealing.ts';

export interface StudyNote {
  /** The study's salt, 32 bytes: with it the owner can open the commitment. */
  readonly salt: Uint8Array;
  /**
   * What the record is: an imaging study, or one of which the commitment covers the UIDs alone while its bytes lie in
   * the hospital's archive. Nothing on the ledger says so.
   */
  readonly kind: 'imaging-study' | 'imaging-study-by-reference';
  readonly studyInstanceUid: string;
  /** Study Date (0008,0020), DA, or empty. */
  readonly date: string;
  /** Modalities in Study (0008,0061), CS. */
  readonly modalities: readonly string[];
  /** Study Description (0008,1030), or empty. */
  readonly description: string;
  /** Instances and their bytes under this commitment; by reference the instances that are named, and no bytes. */
  readonly instances: number;
  readonly bytes: number;
}

const keys = [
  'v',
  'salt',
  'kind',
  'studyInstanceUid',
  'date',
  'modalities',
  'description',
  'instances',
  'bytes',
] as const;

/** What of a description goes into a note: as much as fits, cut between characters. */
export function clipNoteText(text: string, bytesMax: number = noteTextBytesMax): string {
  let clipped = '';
  let bytes = 0;
  for (const character of text.toWellFormed()) {
    bytes += new TextEncoder().encode(character).length;
    if (bytes > bytesMax) break;
    clipped += character;
  }
  return clipped;
}

function readNote(value: CborValue | undefined): StudyNote | undefined {
  const map = mapWith(value, keys);
  if (map === undefined || map['v'] !== 1) return undefined;
  const { kind } = map;
  if (kind !== 'imaging-study' && kind !== 'imaging-study-by-reference') return undefined;
  const { salt, studyInstanceUid, date, modalities, description, instances, bytes } = map;
  if (!isBytes(salt, saltBytes)) return undefined;
  if (!isText(studyInstanceUid, noteShortTextBytesMax) || !isText(date, noteShortTextBytesMax))
    return undefined;
  if (!isText(description, noteTextBytesMax)) return undefined;
  if (!isCount(instances, studyInstancesMax) || !isCount(bytes, studyBytesMax)) return undefined;
  if (!isList(modalities) || modalities.length > noteModalitiesMax) return undefined;
  const modalityNames = modalities.filter((item) => isText(item, noteShortTextBytesMax));
  if (modalityNames.length !== modalities.length) return undefined;
  return {
    salt,
    kind,
    studyInstanceUid,
    date,
    modalities: modalityNames,
    description,
    instances,
    bytes,
  };
}

/** What the ledger holds of a note. */
export function noteHash(ciphertext: Uint8Array): Uint8Array {
  return sha256(ciphertext);
}

/** A note of which every text fits: what a modality writes is not bounded by the standard alone. */
function clipNote(note: StudyNote): StudyNote {
  const short = (text: string) => clipNoteText(text, noteShortTextBytesMax);
  return {
    ...note,
    studyInstanceUid: short(note.studyInstanceUid),
    date: short(note.date),
    modalities: note.modalities.slice(0, noteModalitiesMax).map(short),
    description: clipNoteText(note.description),
  };
}

/**
 * The sealed note of entry `index` under commitment C, its texts cut where they exceed their limits. Seal once for
 * each (prk, index, C) and keep the ciphertext.
 * @throws RangeError if the salt or a count is out of its limits.
 */
export async function sealStudyNote(
  prk: Uint8Array,
  index: number,
  commitment: Uint8Array,
  note: StudyNote,
): Promise<Uint8Array> {
  const value = { v: 1, ...clipNote(note) };
  if (readNote(value) === undefined) throw new RangeError('a field of the note is out of its limits');
  return sealOnce(deriveNoteKey(prk, index, commitment), pad(encodeCanonical(value), notePaddingBytes));
}

/** The note, or undefined if it was sealed for another wallet, entry or commitment, or was altered. */
export async function openStudyNote(
  prk: Uint8Array,
  index: number,
  commitment: Uint8Array,
  ciphertext: Uint8Array,
): Promise<StudyNote | undefined> {
  if (ciphertext.length > noteBytesMax) return undefined;
  const padded = await openSealed(deriveNoteKey(prk, index, commitment), ciphertext);
  const content = padded && unpad(padded, notePaddingBytes);
  return content && readNote(decodeIfCanonical(content));
}
