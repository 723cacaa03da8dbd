/** Bytes of votes and certificates, and the check of a certificate: used by the boxes and by light clients alike. */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { voteKindNumbers, voteMessage } from '../encoding/vote-message.ts';
import { validatorsMax } from './limits.ts';
import type { Certificate, Vote, VoteContent, VoteKind } from './types.ts';
import { quorum } from './types.ts';

export { voteMessage };

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Digest field of a nullify vote. */
export const noDigest: Uint8Array = new Uint8Array(32);

const kinds: readonly (VoteKind | undefined)[] = [undefined, 'notarize', 'nullify', 'finalize'];

export function voteToCbor(vote: Vote): CborValue {
  return {
    kind: voteKindNumbers[vote.kind],
    epoch: vote.epoch,
    view: vote.view,
    digest: vote.digest,
    validator: vote.validator,
    signature: vote.signature,
  };
}

/** @throws RangeError if the value is not a vote; its signature is not checked. */
export function voteFromCbor(value: CborValue): Vote {
  const map = mapWith(value, ['kind', 'epoch', 'view', 'digest', 'validator', 'signature']);
  return {
    ...contentFrom(map),
    validator: validatorIndex(map['validator']),
    signature: bytesOf(map['signature'], 64),
  };
}

export function certificateToCbor(certificate: Certificate): CborValue {
  return {
    kind: voteKindNumbers[certificate.kind],
    epoch: certificate.epoch,
    view: certificate.view,
    digest: certificate.digest,
    signatures: certificate.signatures.map(({ validator, signature }) => [validator, signature]),
  };
}

/**
 * @throws RangeError if the value is not a certificate with validators in ascending order, each once. Whether they
 * are a quorum and have signed is for `verifyCertificate`.
 */
export function certificateFromCbor(value: CborValue): Certificate {
  const map = mapWith(value, ['kind', 'epoch', 'view', 'digest', 'signatures']);
  const list = map['signatures'];
  if (!Array.isArray(list) || list.length === 0 || list.length > validatorsMax) {
    throw new RangeError('certificate has no list of signatures');
  }
  let last = -1;
  const signatures = (list as readonly CborValue[]).map((item) => {
    if (!Array.isArray(item) || item.length !== 2) throw new RangeError('certificate entry is no pair');
    const [index, signature] = item as readonly CborValue[];
    const validator = validatorIndex(index);
    if (validator <= last) throw new RangeError('validators of a certificate do not ascend');
    last = validator;
    return { validator, signature: bytesOf(signature, 64) };
  });
  return { ...contentFrom(map), signatures };
}

/** Canonical CBOR of a vote. */
export function encodeVote(vote: Vote): Uint8Array {
  return encodeCanonical(voteToCbor(vote));
}

/** @throws RangeError if the bytes are not the canonical form of a vote. */
export function decodeVote(bytes: Uint8Array): Vote {
  return voteFromCbor(decodeCanonical(bytes));
}

/** Canonical CBOR of a certificate. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  return encodeCanonical(certificateToCbor(certificate));
}

/** @throws RangeError if the bytes are not the canonical form of a certificate. */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  return certificateFromCbor(decodeCanonical(bytes));
}

/** True if that validator of the list signed this vote. `keys`: voting keys in the order of the epoch's list. */
export function verifyVote(
  chain: Uint8Array,
  keys: readonly Uint8Array[],
  vote: Vote,
  verify: Verify,
): boolean {
  const key = keys[vote.validator];
  return key !== undefined && verify(key, voteMessage(chain, vote), vote.signature);
}

/**
 * True if at least n−f different validators of the list signed what the certificate says.
 * `keys`: voting keys in the order of the epoch's validator list. The caller compares epoch, view and digest with
 * what it wants proved.
 */
export function verifyCertificate(
  chain: Uint8Array,
  keys: readonly Uint8Array[],
  certificate: Certificate,
  verify: Verify,
): boolean {
  // An empty list has a quorum of zero: nothing may be proved by it.
  if (keys.length === 0 || certificate.signatures.length < quorum(keys.length)) return false;
  const message = voteMessage(chain, certificate);
  let last = -1;
  for (const { validator, signature } of certificate.signatures) {
    const key = keys[validator];
    if (key === undefined || validator <= last || !verify(key, message, signature)) return false;
    last = validator;
  }
  return true;
}

type CborMap = { readonly [key: string]: CborValue };

function mapWith(value: CborValue, keys: readonly string[]): CborMap {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) {
    throw new RangeError('not a map');
  }
  const map = value as CborMap;
  if (Object.keys(map).length !== keys.length || keys.some((key) => !Object.hasOwn(map, key))) {
    throw new RangeError(`not exactly the keys ${keys.join(', ')}`);
  }
  return map;
}

function contentFrom(map: CborMap): VoteContent {
  const number = integer(map['kind'], 3);
  const kind = kinds[number];
  if (kind === undefined) throw new RangeError('no such kind of vote');
  const digest = bytesOf(map['digest'], 32);
  if (kind === 'nullify' && digest.some((byte) => byte !== 0)) throw new RangeError('nullify with a digest');
  const view = integer(map['view'], Number.MAX_SAFE_INTEGER);
  if (view === 0) throw new RangeError('view 0 is not voted on');
  return { kind, epoch: integer(map['epoch'], Number.MAX_SAFE_INTEGER), view, digest };
}

function integer(value: CborValue | undefined, max: number): number {
  if (typeof value !== 'number' || value < 0 || value > max) throw new RangeError('integer out of range');
  return value;
}

function validatorIndex(value: CborValue | undefined): number {
  return integer(value, validatorsMax - 1);
}

function bytesOf(value: CborValue | undefined, length: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) throw new RangeError(`not ${length} bytes`);
  return value;
}
