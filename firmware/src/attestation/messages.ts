/**
 * What a verifier and a candidate say to each other, over whatever carries bytes: canonical CBOR, read strictly
 * (docs/formats.md, "Attestation"). Two rounds: introduce → claim, challenge → evidence.
 */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import {
  decodeIfCanonical,
  isBytes,
  isList,
  isText,
  mapWith,
  type CborMap,
} from '../encoding/cbor-fields.ts';
import { eventLogBytesMax } from '../../tpm/wire/limits.ts';
import { institutionIdCharactersMax } from '../ledger/limits.ts';
import type { ChainId } from '../ledger/types.ts';
import {
  attestBytesMax,
  certificateBytesMax,
  certificatesMax,
  creationBytesMax,
  credentialBytesMax,
  nonceBytes,
  publicAreaBytesMax,
  recordBytesMax,
  signatureBytes,
  answerBytesMax,
  requestBytesMax,
} from './limits.ts';

/** Registers that are attested to: who vouched for the boot, and the firmware (ADR 0007). Ascending. */
export const attestedRegisters: readonly number[] = [7, 11];

/** Asks the candidate who it is. */
export interface Introduce {
  readonly type: 'introduce';
  readonly candidate: string;
}

/** Which TPM, with which keys. It proves nothing yet. */
export interface Claim {
  readonly type: 'claim';
  /** DER: the endorsement key's certificate, its issuer's, and so on up to the root's. */
  readonly certificates: readonly Uint8Array[];
  /** TPM2B_PUBLIC each. */
  readonly endorsementKey: Uint8Array;
  readonly attestationKey: Uint8Array;
  readonly identityKey: Uint8Array;
  /** TPMS_ATTEST: the attestation key certifies the making of the identity key (TPM2_CertifyCreation). */
  readonly certification: Uint8Array;
  /** ECDSA over it: r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
  /** TPMS_CREATION_DATA of the identity key. */
  readonly creation: Uint8Array;
  /** What `attestedRegisters` held when it was made, 32 bytes each. */
  readonly originRegisters: readonly Uint8Array[];
  /** TPMS_ATTEST: a quote of `attestedRegisters` over `originStatement`, and ECDSA over it. */
  readonly taken: Uint8Array;
  readonly takenSignature: Uint8Array;
  /** The rescue's key (SEC1, 65 bytes) and the Name of its lock (34 bytes); both empty without a rescue. */
  readonly rescueKey: Uint8Array;
  readonly rescueLock: Uint8Array;
}

/** What only the TPM of the claim can answer. */
export interface Challenge {
  readonly type: 'challenge';
  readonly chain: ChainId;
  readonly verifier: string;
  readonly candidate: string;
  readonly nonce: Uint8Array;
  /** TPMS_ID_OBJECT and TPMU_ENCRYPTED_SECRET (TPM2_MakeCredential). */
  readonly blob: Uint8Array;
  readonly seed: Uint8Array;
}

export interface Evidence {
  readonly type: 'evidence';
  /** TPMS_ATTEST: a quote of `attestedRegisters` over `attestationBinding`. */
  readonly attest: Uint8Array;
  /** ECDSA over it: r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
  /** Values of `attestedRegisters`, 32 bytes each. */
  readonly registers: readonly Uint8Array[];
  readonly eventLog: Uint8Array;
  /** The institution's record in canonical CBOR, as in the genesis document. */
  readonly record: Uint8Array;
  /** `attestationProof` with the secret of the challenge. */
  readonly proof: Uint8Array;
}

const refusalReasons = ['busy', 'not-me', 'not-answerable'] as const;

/** `busy`: the TPM has enough to do. `not-me`: another candidate, or another asker, is named. */
export interface AttestationRefusal {
  readonly type: 'refused';
  readonly reason: (typeof refusalReasons)[number];
}

export type AttestationRequest = Introduce | Challenge;
export type AttestationAnswer = Claim | Evidence | AttestationRefusal;

export function encodeAttestationRequest(request: AttestationRequest): Uint8Array {
  return encodeCanonical({ ...request });
}

export function encodeAttestationAnswer(answer: AttestationAnswer): Uint8Array {
  return encodeCanonical({ ...answer });
}

function isUpTo(value: CborValue | undefined, max: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= max;
}

function isListOf(
  value: CborValue | undefined,
  countMax: number,
  fits: (item: CborValue) => item is Uint8Array,
): value is readonly Uint8Array[] {
  return isList(value) && value.length <= countMax && value.every(fits);
}

/** Values of `attestedRegisters`, or of fewer. */
function isRegisters(value: CborValue | undefined): value is readonly Uint8Array[] {
  return isListOf(value, attestedRegisters.length, (item) => isBytes(item, 32));
}

function typeOf(value: CborValue | undefined): CborValue | undefined {
  return typeof value === 'object' && value !== null ? (value as CborMap)['type'] : undefined;
}

const challengeKeys = ['type', 'chain', 'verifier', 'candidate', 'nonce', 'blob', 'seed'] as const;

function readChallenge(value: CborValue | undefined): Challenge | undefined {
  const { chain, verifier, candidate, nonce, blob, seed } = mapWith(value, challengeKeys) ?? {};
  if (!isBytes(chain, 32) || !isBytes(nonce, nonceBytes)) return undefined;
  if (!isText(verifier, institutionIdCharactersMax) || !isText(candidate, institutionIdCharactersMax))
    return undefined;
  if (!isUpTo(blob, credentialBytesMax) || !isUpTo(seed, credentialBytesMax)) return undefined;
  return { type: 'challenge', chain, verifier, candidate, nonce, blob, seed };
}

/** Undefined for bytes that no verifier sends. */
export function decodeAttestationRequest(bytes: Uint8Array): AttestationRequest | undefined {
  const value = bytes.length > requestBytesMax ? undefined : decodeIfCanonical(bytes);
  if (typeOf(value) !== 'introduce') return typeOf(value) === 'challenge' ? readChallenge(value) : undefined;
  const candidate = mapWith(value, ['type', 'candidate'])?.['candidate'];
  return isText(candidate, institutionIdCharactersMax) ? { type: 'introduce', candidate } : undefined;
}

const claimKeys = [
  'type',
  'certificates',
  'endorsementKey',
  'attestationKey',
  'identityKey',
  'certification',
  'signature',
  'creation',
  'originRegisters',
  'taken',
  'takenSignature',
  'rescueKey',
  'rescueLock',
] as const;

/** The rescue's parts of a claim: both there, or both empty. */
function areRescue(key: CborValue | undefined, lock: CborValue | undefined): boolean {
  return (isBytes(key, 0) && isBytes(lock, 0)) || (isBytes(key, 65) && isBytes(lock, 34));
}

function readClaim(value: CborValue | undefined): Claim | undefined {
  const map = mapWith(value, claimKeys) ?? {};
  const { certificates, endorsementKey, attestationKey, identityKey, certification, signature } = map;
  if (!isListOf(certificates, certificatesMax, (item) => isUpTo(item, certificateBytesMax))) return undefined;
  if (!isUpTo(endorsementKey, publicAreaBytesMax) || !isUpTo(attestationKey, publicAreaBytesMax))
    return undefined;
  if (!isUpTo(identityKey, publicAreaBytesMax) || !isUpTo(certification, attestBytesMax)) return undefined;
  if (!isBytes(signature, signatureBytes)) return undefined;
  const { creation, originRegisters, taken, takenSignature, rescueKey, rescueLock } = map;
  if (!isUpTo(creation, creationBytesMax) || !isUpTo(taken, attestBytesMax)) return undefined;
  if (!isBytes(takenSignature, signatureBytes) || !isRegisters(originRegisters)) return undefined;
  if (!isUpTo(rescueKey, 65) || !isUpTo(rescueLock, 34) || !areRescue(rescueKey, rescueLock))
    return undefined;
  return {
    type: 'claim',
    certificates,
    endorsementKey,
    attestationKey,
    identityKey,
    certification,
    signature,
    creation,
    originRegisters,
    taken,
    takenSignature,
    rescueKey,
    rescueLock,
  };
}

const evidenceKeys = ['type', 'attest', 'signature', 'registers', 'eventLog', 'record', 'proof'] as const;

function readEvidence(value: CborValue | undefined): Evidence | undefined {
  const { attest, signature, registers, eventLog, record, proof } = mapWith(value, evidenceKeys) ?? {};
  if (!isUpTo(attest, attestBytesMax) || !isBytes(signature, signatureBytes)) return undefined;
  if (!isRegisters(registers)) return undefined;
  if (!isUpTo(eventLog, eventLogBytesMax) || !isUpTo(record, recordBytesMax) || !isBytes(proof, 32))
    return undefined;
  return { type: 'evidence', attest, signature, registers, eventLog, record, proof };
}

function readRefusal(value: CborValue | undefined): AttestationRefusal | undefined {
  const told = mapWith(value, ['type', 'reason'])?.['reason'];
  const reason = refusalReasons.find((known) => known === told);
  return reason && { type: 'refused', reason };
}

/** Undefined for bytes that no candidate sends. */
export function decodeAttestationAnswer(bytes: Uint8Array): AttestationAnswer | undefined {
  const value = bytes.length > answerBytesMax ? undefined : decodeIfCanonical(bytes);
  const type = typeOf(value);
  if (type === 'claim') return readClaim(value);
  if (type === 'evidence') return readEvidence(value);
  return type === 'refused' ? readRefusal(value) : undefined;
}
