/** Keys as a TPM describes them: TPM2B_PUBLIC (TPM 2.0 part 2, 12.2.5) of signing keys and of endorsement keys. */
import { concatBytes } from '../encoding/bytes.ts';
import { algorithm, curve, objectAttribute } from '../../tpm/wire/constants.ts';
import { WireReader } from '../../tpm/wire/reader.ts';
import { nameOf, parseSigningPoint, unsized } from '../../tpm/wire/structures.ts';

/** A P-256 key of a TPM that signs with ECDSA and SHA-256. */
export interface SigningKey {
  /** Uncompressed SEC 1, 65 bytes. */
  readonly point: Uint8Array;
  /** SHA-256 Name, 34 bytes: what a TPM calls the key, over all that is said of it here. */
  readonly name: Uint8Array;
  /** TPMA_OBJECT. */
  readonly attributes: number;
  /** authPolicy; empty where a policy opens nothing. */
  readonly policy: Uint8Array;
}

export type EndorsementHash = 'SHA-256' | 'SHA-384';

/** How an endorsement key takes a secret: its name algorithm, and its symmetric key's bits (AES-CFB). */
interface EndorsementScheme {
  readonly hash: EndorsementHash;
  readonly aesBits: number;
  readonly attributes: number;
}

export type EndorsementKey = EndorsementScheme &
  (
    | {
        readonly kind: 'ecc';
        readonly curve: 'P-256' | 'P-384';
        /** Uncompressed SEC 1. */
        readonly point: Uint8Array;
      }
    | {
        readonly kind: 'rsa';
        /** Big-endian; 256 to 512 bytes. */
        readonly modulus: Uint8Array;
        readonly exponent: number;
      }
  );

/** TPMT_PUBLIC begins with type, nameAlg, objectAttributes and authPolicy. */
function readHead(reader: WireReader) {
  return {
    kind: reader.u16(),
    nameAlgorithm: reader.u16(),
    attributes: reader.u32(),
    policy: reader.sized(),
  };
}

/** @throws RangeError if the area is of another kind of key. */
export function readSigningKey(publicArea: Uint8Array): SigningKey {
  const point = parseSigningPoint(publicArea);
  const { attributes, policy } = readHead(new WireReader(unsized(publicArea)));
  return { point, name: nameOf(publicArea), attributes, policy };
}

/** Part 2, 11.2.4.5: zero stands for 65537. */
const defaultExponent = 65_537;
const modulusBytes: readonly number[] = [256, 384, 512];

const hashes: ReadonlyMap<number, EndorsementHash> = new Map([
  [algorithm.sha256, 'SHA-256'],
  [algorithm.sha384, 'SHA-384'],
]);

function readHash(nameAlgorithm: number): EndorsementHash {
  const hash = hashes.get(nameAlgorithm);
  if (hash === undefined) throw new RangeError('the endorsement key is named by an unknown hash');
  return hash;
}

/** TPMT_SYM_DEF_OBJECT (11.1.7): AES in CFB mode. */
function readAesBits(reader: WireReader): number {
  const cipher = reader.u16();
  const bits = reader.u16();
  const mode = reader.u16();
  if (cipher !== algorithm.aes || mode !== algorithm.cfb || (bits !== 128 && bits !== 256)) {
    throw new RangeError('the endorsement key has an unknown symmetric cipher');
  }
  return bits;
}

/** A coordinate with the zeros that a TPM may leave out. */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length > length) throw new RangeError('a coordinate is too large for its curve');
  return concatBytes(new Uint8Array(length - bytes.length), bytes);
}

/** TPMS_ECC_PARMS (12.2.3.6) and TPMS_ECC_POINT. */
function readEcc(reader: WireReader, scheme: EndorsementScheme): EndorsementKey {
  const curveId = reader.u16();
  if (curveId !== curve.p256 && curveId !== curve.p384) {
    throw new RangeError('the endorsement key is on an unknown curve');
  }
  if (reader.u16() !== algorithm.null) throw new RangeError('the endorsement key has a KDF scheme');
  const length = curveId === curve.p256 ? 32 : 48;
  const point = concatBytes(Uint8Array.of(4), padded(reader.sized(), length), padded(reader.sized(), length));
  return { kind: 'ecc', curve: curveId === curve.p256 ? 'P-256' : 'P-384', point, ...scheme };
}

/** TPMS_RSA_PARMS (12.2.3.5) and the modulus. */
function readRsa(reader: WireReader, scheme: EndorsementScheme): EndorsementKey {
  const bits = reader.u16();
  const exponent = reader.u32();
  const modulus = reader.sized();
  if (!modulusBytes.includes(modulus.length) || 8 * modulus.length !== bits) {
    throw new RangeError('the endorsement key has an unknown size');
  }
  return { kind: 'rsa', modulus, exponent: exponent === 0 ? defaultExponent : exponent, ...scheme };
}

/**
 * A storage key as TCG EK Credential Profile 2.5, annex B, has endorsement keys: RSA, P-256 or P-384.
 * @throws RangeError if the area is of another kind of key.
 */
export function readEndorsementKey(publicArea: Uint8Array): EndorsementKey {
  const reader = new WireReader(unsized(publicArea));
  const { kind, nameAlgorithm, attributes } = readHead(reader);
  if (kind !== algorithm.ecc && kind !== algorithm.rsa) throw new RangeError('not an endorsement key');
  const scheme = { hash: readHash(nameAlgorithm), aesBits: readAesBits(reader), attributes };
  if (reader.u16() !== algorithm.null) throw new RangeError('an endorsement key signs nothing');
  const key = kind === algorithm.ecc ? readEcc(reader, scheme) : readRsa(reader, scheme);
  reader.end();
  return key;
}

const bornAndBound =
  objectAttribute.fixedTpm | objectAttribute.fixedParent | objectAttribute.sensitiveDataOrigin;

function has(attributes: number, wanted: number, unwanted: number): boolean {
  return (attributes & wanted) === wanted && (attributes & unwanted) === 0;
}

/** Made in its TPM, never to leave it, and signs nothing but what the TPM itself says. */
export function isAttestationKey({ attributes }: SigningKey): boolean {
  return has(
    attributes,
    bornAndBound | objectAttribute.restricted | objectAttribute.sign,
    objectAttribute.decrypt,
  );
}

/** Made in its TPM, never to leave it, and usable only while its policy holds. */
export function isIdentityKey({ attributes, policy }: SigningKey): boolean {
  return (
    policy.length > 0 &&
    has(
      attributes,
      bornAndBound | objectAttribute.sign,
      objectAttribute.decrypt | objectAttribute.restricted | objectAttribute.userWithAuth,
    )
  );
}

/** Made in its TPM, never to leave it, and decrypts nothing but what the TPM is to judge. */
export function isEndorsementKey({ attributes }: EndorsementKey): boolean {
  return has(
    attributes,
    bornAndBound | objectAttribute.restricted | objectAttribute.decrypt,
    objectAttribute.sign,
  );
}
