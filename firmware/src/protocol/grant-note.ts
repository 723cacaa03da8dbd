/**
 * The sealed part of a grant, of a referral and of an emergency: who may open the study and why, for the source and the grantee alone. Fixed size, so that the
 * ledger shows neither grantee nor purpose:
 * u8 version = 1 ‖ for the source: HPKE enc (32) ‖ sealed note key (48) ‖ for the grantee: the same ‖
 * AES-256-GCM (zero nonce, one plaintext) of the padded content (512 + 16).
 * HPKE (RFC 9180) base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, to the view keys V of both;
 * info = domainPrefix("grant-note") ‖ u8 role; aad of all three seals = canonical CBOR of the body without its note.
 */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, HpkeError } from '@hpke/core';
import { concatBytes, equalBytes, fromHex, u8 } from '../encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { domainPrefix, hash } from '../encoding/hash.ts';
import type { AccessEmergency, AccessGrant, AccessRefer, BasisBody } from '../ledger/types.ts';
import { saltBytes } from './commitments.ts';
import { decodeIfCanonical, isBytes, isText, mapWith } from '../encoding/cbor-fields.ts';
import {
  grantNoteContentBytes,
  grantPersonBytesMax,
  grantPurposeBytesMax,
  institutionIdCharactersMax,
} from './limits.ts';
import { gcmTagBytes, openSealed, pad, sealOnce, unpad } from './sealing.ts';

export interface GrantTerms {
  /** What the grantee may use the study for, in the patient's or the referring physician's words; why it is urgent. */
  readonly purpose: string;
  /** The person at the grantee whom it is meant for; of an emergency, the clinician who declared it. */
  readonly person: string | null;
  /** S of the patient's account at the grantee, by which the grantee finds its local patient ID; null if there is none. */
  readonly patientAtGrantee: Uint8Array | null;
  /**
   * `statementDigest` of the consent that a patient without a wallet signed, where the source grants in their place:
   * whether the owner's key is in custody shows nowhere else.
   */
  readonly consent: Uint8Array | null;
  /** 32 random bytes: without it nobody can test a guess of the terms against the ledger. */
  readonly salt: Uint8Array;
}

export interface GrantNote {
  readonly source: string;
  readonly grantee: string;
  readonly terms: GrantTerms;
}

/** A grant, referral or emergency before its note is sealed to it. */
export type BasisWithoutNote =
  Omit<AccessGrant, 'note'> | Omit<AccessRefer, 'note'> | Omit<AccessEmergency, 'note'>;

export type GrantRole = 'source' | 'grantee';

const version = 1;
const sealedKeyBytes = 32 + 32 + gcmTagBytes;
const roleNumbers: Record<GrantRole, number> = { source: 1, grantee: 2 };

/** Bytes of every grant's note. */
export const grantNoteBytes = 1 + 2 * sealedKeyBytes + grantNoteContentBytes + gcmTagBytes;

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** RFC 8410, section 7: what stands before the 32 bytes of an X25519 private key in PKCS #8. */
const x25519Pkcs8Prefix = fromHex('302e020100300506032b656e04220420');

function hpkeInfo(role: GrantRole): Uint8Array<ArrayBuffer> {
  return new Uint8Array(concatBytes(domainPrefix('grant-note'), u8(roleNumbers[role])));
}

function associatedData(body: BasisWithoutNote): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodeCanonical(body as unknown as CborValue));
}

/** H("terms", salt ‖ canonical CBOR of { purpose, person, patientAtGrantee, consent }). */
export function termsHash(terms: GrantTerms): Uint8Array {
  const { salt, ...open } = terms;
  if (salt.length !== saltBytes) throw new RangeError(`a salt has ${saltBytes} bytes`);
  return hash('terms', salt, encodeCanonical(open));
}

/** Strict: exactly the fields of `GrantTerms` within their limits, or undefined. */
export function readGrantTerms(value: CborValue | undefined): GrantTerms | undefined {
  const map = mapWith(value, ['purpose', 'person', 'patientAtGrantee', 'consent', 'salt']);
  if (map === undefined) return undefined;
  const { purpose, person, patientAtGrantee, consent, salt } = map;
  if (!isText(purpose, grantPurposeBytesMax)) return undefined;
  if (person !== null && !isText(person, grantPersonBytesMax)) return undefined;
  if (patientAtGrantee !== null && !isBytes(patientAtGrantee, 32)) return undefined;
  if (consent !== null && !isBytes(consent, 32)) return undefined;
  return isBytes(salt, saltBytes) ? { purpose, person, patientAtGrantee, consent, salt } : undefined;
}

function readNote(value: CborValue | undefined): GrantNote | undefined {
  const map = mapWith(value, ['source', 'grantee', 'terms']);
  if (map === undefined) return undefined;
  const { source, grantee } = map;
  const terms = readGrantTerms(map['terms']);
  if (!isText(source, institutionIdCharactersMax) || !isText(grantee, institutionIdCharactersMax))
    return undefined;
  return terms && { source, grantee, terms };
}

async function sealKey(
  noteKey: Uint8Array,
  viewKey: Uint8Array,
  role: GrantRole,
  aad: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const recipientPublicKey = await crypto.subtle.importKey(
    'raw',
    new Uint8Array(viewKey),
    'X25519',
    true,
    [],
  );
  const { enc, ct } = await suite.seal(
    { recipientPublicKey, info: hpkeInfo(role) },
    new Uint8Array(noteKey),
    aad,
  );
  return concatBytes(new Uint8Array(enc), new Uint8Array(ct));
}

/**
 * The note for a body, which holds the hash of the same terms. `views`: V of source and grantee as the ledger
 * holds them. @throws RangeError if a field exceeds its limit or the body holds other terms.
 */
export async function sealGrantNote(
  body: BasisWithoutNote,
  note: GrantNote,
  views: Readonly<Record<GrantRole, Uint8Array>>,
): Promise<Uint8Array> {
  const value = { source: note.source, grantee: note.grantee, terms: { ...note.terms } };
  if (readNote(value) === undefined) throw new RangeError('a field of the note is out of its limits');
  if (!equalBytes(body.termsHash, termsHash(note.terms))) throw new RangeError('the body holds other terms');
  const aad = associatedData(body);
  const noteKey = crypto.getRandomValues(new Uint8Array(32));
  const content = await sealOnce(noteKey, pad(encodeCanonical(value), grantNoteContentBytes), aad);
  const sealed = concatBytes(
    u8(version),
    await sealKey(noteKey, views.source, 'source', aad),
    await sealKey(noteKey, views.grantee, 'grantee', aad),
    content,
  );
  if (sealed.length !== grantNoteBytes) throw new RangeError('the content of the note is too long');
  return sealed;
}

/**
 * The note of a basis, opened with the view key v of its source or grantee; undefined if it is for somebody else, was
 * altered or belongs to another body, or if its terms are not those that the body commits to.
 */
export async function openGrantNote(
  basis: BasisBody,
  role: GrantRole,
  viewKey: Uint8Array,
): Promise<GrantNote | undefined> {
  const { note: sealed, ...body } = basis;
  if (sealed.length !== grantNoteBytes || sealed[0] !== version) return undefined;
  const aad = associatedData(body);
  const at = 1 + (role === 'source' ? 0 : sealedKeyBytes);
  const noteKey = await openKey(sealed.slice(at, at + sealedKeyBytes), role, viewKey, aad);
  if (noteKey === undefined) return undefined;
  const padded = await openSealed(noteKey, sealed.slice(1 + 2 * sealedKeyBytes), aad);
  const content = padded && unpad(padded, grantNoteContentBytes);
  const note = content && readNote(decodeIfCanonical(content));
  return note && equalBytes(termsHash(note.terms), basis.termsHash) ? note : undefined;
}

async function openKey(
  sealedKey: Uint8Array,
  role: GrantRole,
  viewKey: Uint8Array,
  aad: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array | undefined> {
  const pkcs8 = new Uint8Array(concatBytes(x25519Pkcs8Prefix, viewKey));
  const recipientKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'X25519', true, ['deriveBits']);
  try {
    const enc = new Uint8Array(sealedKey.subarray(0, 32));
    const ct = new Uint8Array(sealedKey.subarray(32));
    return new Uint8Array(await suite.open({ recipientKey, enc, info: hpkeInfo(role) }, ct, aad));
  } catch (cause) {
    // Sealed for somebody else, or altered: an answer, not a fault.
    if (cause instanceof HpkeError) return undefined;
    throw cause;
  }
}
