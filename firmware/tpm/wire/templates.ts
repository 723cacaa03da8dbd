/** Templates (TPM2B_PUBLIC) of the objects that Hilum makes. An object's kind and policy are fixed at its creation. */
import { concatBytes, u16, u32 } from '../../src/encoding/bytes.ts';
import {
  algorithm,
  counterBytes,
  curve,
  digestBytes,
  nvCounterAttributes,
  objectAttribute,
} from './constants.ts';
import { aes128Cfb, sized } from './structures.ts';

interface PublicArea {
  readonly kind: number;
  readonly attributes: number;
  readonly policy: Uint8Array;
  /** TPMU_PUBLIC_PARMS. */
  readonly parameters: Uint8Array;
  /** TPMU_PUBLIC_ID. */
  readonly unique: Uint8Array;
}

function publicArea({ kind, attributes, policy, parameters, unique }: PublicArea): Uint8Array {
  return sized(
    concatBytes(u16(kind), u16(algorithm.sha256), u32(attributes), sized(policy), parameters, unique),
  );
}

const noPolicy = new Uint8Array(0);
const madeHereStaysHere = objectAttribute.fixedTpm | objectAttribute.fixedParent;
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

/** TPM2B_NV_PUBLIC of a counter at this index. A TPM begins it above every counter that it ever had (part 3, 31.8). */
export function counterTemplate(index: number): Uint8Array {
  const { counter, ownerWrite, ownerRead, noDa } = nvCounterAttributes;
  const attributes = counter | ownerWrite | ownerRead | noDa;
  return sized(
    concatBytes(u32(index), u16(algorithm.sha256), u32(attributes), sized(noPolicy), u16(counterBytes)),
  );
}
