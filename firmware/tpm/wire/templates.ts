/** Templates (TPM2B_PUBLIC) of the objects that Hilum makes. An object's kind and policy are fixed at its creation. */
import { concatBytes, u16, u32 } from '../../src/encoding/bytes.ts';
import { algorithm, curve, digestBytes, objectAttribute } from './constants.ts';
import { aes128Cfb, sized } from './structures.ts';

export interface PublicArea {
  readonly kind: number;
  /** SHA-256 unless told. */
  readonly nameAlgorithm?: number;
  readonly attributes: number;
  readonly policy: Uint8Array;
  /** TPMU_PUBLIC_PARMS. */
  readonly parameters: Uint8Array;
  /** TPMU_PUBLIC_ID. */
  readonly unique: Uint8Array;
}

/** TPM2B_PUBLIC (part 2, 12.2.5). */
export function publicArea({
  kind,
  nameAlgorithm,
  attributes,
  policy,
  parameters,
  unique,
}: PublicArea): Uint8Array {
  return sized(
    concatBytes(
      u16(kind),
      u16(nameAlgorithm ?? algorithm.sha256),
      u32(attributes),
      sized(policy),
      parameters,
      unique,
    ),
  );
}

const noPolicy = new Uint8Array(0);
const madeHereStaysHere = objectAttribute.fixedTpm | objectAttribute.fixedParent;
/** TPMT_SYM_DEF_OBJECT, TPMT_ECC_SCHEME, TPMT_RSA_SCHEME or TPMT_KDF_SCHEME that is not used. */
const nothing = u16(algorithm.null);

/**
 * Storage root key, P-256: the ECC SRK of "TCG TPM v2.0 Provisioning Guidance" 7.5.1, which the same owner seed
 * always yields again. noDA, so that power cuts during use never count towards a lock-out.
 */
export function storageRootTemplate(): Uint8Array {
  const coordinate = sized(new Uint8Array(digestBytes));
  return publicArea({
    kind: algorithm.ecc,
    attributes:
      madeHereStaysHere |
      objectAttribute.sensitiveDataOrigin |
      objectAttribute.userWithAuth |
      objectAttribute.noDa |
      objectAttribute.restricted |
      objectAttribute.decrypt,
    policy: noPolicy,
    parameters: concatBytes(aes128Cfb, nothing, u16(curve.p256), nothing),
    unique: concatBytes(coordinate, coordinate),
  });
}

/**
 * Device identity key: ECDSA P-256 with SHA-256, usable under its policy only. adminWithPolicy stays clear, so that an
 * attestation key can certify it (TPM2_Certify asks for the ADMIN role, which a plain PCR policy cannot fill).
 */
export function identityTemplate(policy: Uint8Array): Uint8Array {
  return publicArea({
    kind: algorithm.ecc,
    attributes:
      madeHereStaysHere | objectAttribute.sensitiveDataOrigin | objectAttribute.noDa | objectAttribute.sign,
    policy,
    parameters: concatBytes(nothing, u16(algorithm.ecdsa), u16(algorithm.sha256), u16(curve.p256), nothing),
    unique: concatBytes(u16(0), u16(0)),
  });
}

/**
 * Attestation key: ECDSA P-256 with SHA-256, restricted, so that it signs nothing but what the TPM itself says. It needs
 * no authorization: a quote tells the truth about whatever firmware runs.
 */
export function attestationTemplate(): Uint8Array {
  return publicArea({
    kind: algorithm.ecc,
    attributes:
      madeHereStaysHere |
      objectAttribute.sensitiveDataOrigin |
      objectAttribute.userWithAuth |
      objectAttribute.noDa |
      objectAttribute.restricted |
      objectAttribute.sign,
    policy: noPolicy,
    parameters: concatBytes(nothing, u16(algorithm.ecdsa), u16(algorithm.sha256), u16(curve.p256), nothing),
    unique: concatBytes(u16(0), u16(0)),
  });
}

/** A sealed secret: unsealed under its policy only, never by an authorization value. */
export function sealedTemplate(policy: Uint8Array): Uint8Array {
  return publicArea({
    kind: algorithm.keyedHash,
    attributes: madeHereStaysHere | objectAttribute.noDa,
    policy,
    parameters: nothing,
    unique: u16(0),
  });
}

/** What the recovery code opens: holds nothing, and its authorization value is of the code (userWithAuth). */
export function rescueLockTemplate(): Uint8Array {
  return publicArea({
    kind: algorithm.keyedHash,
    attributes: madeHereStaysHere | objectAttribute.noDa | objectAttribute.userWithAuth,
    policy: noPolicy,
    parameters: nothing,
    unique: u16(0),
  });
}

/**
 * A public key from outside that signs with ECDSA P-256 and SHA-256, for TPM2_LoadExternal (part 3, 12.3): the offline
 * rescue key. @param point uncompressed SEC1, 65 bytes.
 */
export function rescueKeyArea(point: Uint8Array): Uint8Array {
  return publicArea({
    kind: algorithm.ecc,
    attributes: objectAttribute.userWithAuth | objectAttribute.sign,
    policy: noPolicy,
    parameters: concatBytes(nothing, u16(algorithm.ecdsa), u16(algorithm.sha256), u16(curve.p256), nothing),
    unique: concatBytes(sized(point.slice(1, 33)), sized(point.slice(33))),
  });
}
