/** Structures of the TPM 2.0 Library Specification, part 2, as bytes. Section numbers are of revision 1.59. */
import { concatBytes, u16, u32, u8 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { algorithm, curve, digestBytes, reservedHandle, structureTag } from './constants.ts';
import { WireReader } from './reader.ts';

/** An object as it is stored outside the TPM: TPM2B_PUBLIC and TPM2B_PRIVATE, each with its length. */
export interface ObjectBlob {
  readonly publicArea: Uint8Array;
  /** Encrypted to its parent; worthless without the TPM that made it. */
  readonly privateArea: Uint8Array;
}

/** TPM2B_…: u16 length, then the bytes. */
export function sized(bytes: Uint8Array): Uint8Array {
  return concatBytes(u16(bytes.length), bytes);
}

/** The content of a TPM2B. @throws RangeError if the length is wrong. */
export function unsized(wire: Uint8Array): Uint8Array {
  const reader = new WireReader(wire);
  const content = reader.sized();
  reader.end();
  return content;
}

/** Registers of a PC Client TPM, 0 to 23, take three bytes of bit map. */
const pcrSelectBytes = 3;

/** TPML_PCR_SELECTION (10.9.7) of registers in the SHA-256 bank. */
export function pcrSelection(registers: readonly number[]): Uint8Array {
  if (registers.length === 0) return u32(0);
  const map = new Uint8Array(pcrSelectBytes);
  for (const register of registers) {
    if (!Number.isInteger(register) || register < 0 || register >= 8 * pcrSelectBytes) {
      throw new RangeError(`there is no PCR ${register}`);
    }
    const byte = register >>> 3;
    map[byte] = (map[byte] as number) | (1 << (register & 7));
  }
  return concatBytes(u32(1), u16(algorithm.sha256), u8(pcrSelectBytes), map);
}

/** TPML_PCR_SELECTION of a new object that records no PCRs. */
export const noCreationPcrs = pcrSelection([]);

/** TPM2B_DATA (10.4.3) of a new object about which its maker says nothing. */
export const noOutsideInfo = sized(new Uint8Array(0));

/** TPM2B_DIGEST (10.4.2) where the TPM is to take its own value. */
export const noDigest = sized(new Uint8Array(0));

/** TPM2B_AUTH (10.4.5) of what needs none. */
export const noAuthorization = sized(new Uint8Array(0));

/** TPM2B_DIGEST (10.4.2) of a hierarchy that no policy authorizes. */
export const noPolicyDigest = sized(new Uint8Array(0));

/** TPML_DIGEST (10.9.5). */
export function parseDigestList(wire: Uint8Array): Uint8Array[] {
  const reader = new WireReader(wire);
  const digests: Uint8Array[] = [];
  for (let left = reader.u32(); left > 0; left--) digests.push(reader.sized());
  reader.end();
  return digests;
}

/** TPML_DIGEST (10.9.5) to give. */
export function digestList(digests: readonly Uint8Array[]): Uint8Array {
  return concatBytes(u32(digests.length), ...digests.map(sized));
}

/**
 * TPM2B_AUTH (10.4.5). A TPM drops zeros at the end of an authorization value before it is used as an HMAC key (part 1,
 * 19.6.4.3); tpm2-tss does not do so everywhere.
 */
export function authorizationValue(value: Uint8Array): Uint8Array {
  let length = value.length;
  while (length > 0 && value[length - 1] === 0) length--;
  return sized(value.subarray(0, length));
}

/** TPM2B_SENSITIVE_CREATE (11.1.16): the data to seal, and an authorization value, empty unless told. */
export function sensitiveCreate(
  data: Uint8Array = new Uint8Array(0),
  authorization: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return sized(concatBytes(authorizationValue(authorization), sized(data)));
}

/** TPMT_SIG_SCHEME (11.2.1.5): ECDSA with SHA-256. */
export const ecdsaSha256 = concatBytes(u16(algorithm.ecdsa), u16(algorithm.sha256));

/** TPMT_SYM_DEF (11.1.6): how the parameters of a session are encrypted. */
export const aes128Cfb = concatBytes(u16(algorithm.aes), u16(128), u16(algorithm.cfb));

/** TPMT_SYM_DEF of objects and parameters that are protected with 256-bit keys. */
export const aes256Cfb = concatBytes(u16(algorithm.aes), u16(256), u16(algorithm.cfb));

/** TPMT_TK_HASHCHECK (10.7.6) for digests that were not made in the TPM. */
export const noHashCheck = concatBytes(u16(structureTag.hashCheck), u32(reservedHandle.null), u16(0));

/** The Name of an object (part 1, section 16): its hash algorithm and the hash of its public area. */
export function nameOf(publicArea: Uint8Array): Uint8Array {
  const content = unsized(publicArea);
  const nameAlgorithm = new DataView(content.buffer, content.byteOffset + 2, 2).getUint16(0);
  if (nameAlgorithm !== algorithm.sha256) throw new RangeError('the Name of the object is not SHA-256');
  return concatBytes(u16(nameAlgorithm), sha256(content));
}

/** A coordinate or scalar of P-256 with the zeros that a TPM may leave out. */
function leftPadded(bytes: Uint8Array): Uint8Array {
  if (bytes.length > digestBytes) throw new RangeError('number too large for P-256');
  return concatBytes(new Uint8Array(digestBytes - bytes.length), bytes);
}

/**
 * The point of an unrestricted P-256 signing key from its TPM2B_PUBLIC (12.2.4), uncompressed SEC1, 65 bytes.
 * @throws RangeError if the area is of another kind of object.
 */
export function parseSigningPoint(publicArea: Uint8Array): Uint8Array {
  const reader = new WireReader(unsized(publicArea));
  const kind = reader.u16();
  if (kind !== algorithm.ecc) throw new RangeError('not an elliptic-curve key');
  reader.bytes(2 + 4); // nameAlg and objectAttributes
  reader.sized(); // authPolicy
  const symmetric = reader.u16();
  const scheme = reader.u16();
  const schemeHash = reader.u16();
  if (symmetric !== algorithm.null || scheme !== algorithm.ecdsa || schemeHash !== algorithm.sha256) {
    throw new RangeError('not a key for ECDSA with SHA-256');
  }
  const curveId = reader.u16();
  const kdf = reader.u16();
  if (curveId !== curve.p256 || kdf !== algorithm.null) throw new RangeError('not a key on P-256');
  const point = concatBytes(Uint8Array.of(4), leftPadded(reader.sized()), leftPadded(reader.sized()));
  reader.end();
  return point;
}

/** TPMT_SIGNATURE (11.3.4) of ECDSA as r ‖ s, 64 bytes. @throws RangeError for another scheme. */
export function parseEcdsaSignature(wire: Uint8Array): Uint8Array {
  const reader = new WireReader(wire);
  if (reader.u16() !== algorithm.ecdsa || reader.u16() !== algorithm.sha256) {
    throw new RangeError('not a signature of ECDSA with SHA-256');
  }
  const signature = concatBytes(leftPadded(reader.sized()), leftPadded(reader.sized()));
  reader.end();
  return signature;
}

/** The other way round: r ‖ s, 64 bytes, as TPMT_SIGNATURE. */
export function ecdsaSignature(signature: Uint8Array): Uint8Array {
  if (signature.length !== 2 * digestBytes) throw new RangeError('a P-256 signature has 64 bytes');
  return concatBytes(
    ecdsaSha256,
    sized(signature.subarray(0, digestBytes)),
    sized(signature.subarray(digestBytes)),
  );
}

/** Handles of a TPMS_CAPABILITY_DATA (10.10.1) that was asked for TPM_CAP_HANDLES. */
export function parseHandles(wire: Uint8Array): number[] {
  const reader = new WireReader(wire);
  reader.u32(); // capability
  return Array.from({ length: reader.u32() }, () => reader.u32());
}

/** Values by property of a TPMS_CAPABILITY_DATA (10.10.1) that was asked for TPM_CAP_TPM_PROPERTIES. */
export function parseProperties(wire: Uint8Array): Map<number, number> {
  const reader = new WireReader(wire);
  reader.u32(); // capability
  const values = new Map<number, number>();
  for (let left = reader.u32(); left > 0; left--) {
    const key = reader.u32();
    values.set(key, reader.u32());
  }
  return values;
}

/** What the TPM says of an NV index: its attributes and how many bytes it holds (TPM2B_NV_PUBLIC, 13.6). */
export function parseNvPublic(wire: Uint8Array): { readonly attributes: number; readonly bytes: number } {
  const reader = new WireReader(unsized(wire));
  reader.bytes(4 + 2); // nvIndex and nameAlg
  const attributes = reader.u32();
  reader.sized(); // authPolicy
  const bytes = reader.u16();
  reader.end();
  return { attributes, bytes };
}
