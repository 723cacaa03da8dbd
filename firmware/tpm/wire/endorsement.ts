/**
 * Endorsement keys: which kinds there are, where a TPM keeps their certificates and from which template it derives each
 * key again (TCG EK Credential Profile for TPM Family 2.0, version 2.5: 2.2.1.4, 2.2.1.5 and annex B).
 */
import { concatBytes, fromHex, u16, u32 } from '../../src/encoding/bytes.ts';
import { algorithm, curve, objectAttribute } from './constants.ts';
import { aes128Cfb, aes256Cfb, sized } from './structures.ts';
import { publicArea, type PublicArea } from './templates.ts';

/** The strongest first; `-high` are those of the high range of NV indices, which newer TPMs have. */
export const endorsementKinds = [
  'ecc-p384-high',
  'ecc-p256-high',
  'ecc-p256',
  'rsa-2048-high',
  'rsa-2048',
] as const;
export type EndorsementKind = (typeof endorsementKinds)[number];

export interface EndorsementRow {
  /** NV index of the certificate. */
  readonly certificateIndex: number;
  /** TPM2B_PUBLIC. */
  readonly template: Uint8Array;
  /** How the key is used: by its empty authorization value, or by proof of the endorsement hierarchy's alone. */
  readonly usedBy: 'authorization' | 'endorsement-policy';
}

/** NV indices of the certificates between an endorsement key's and its root (2.2.1.5.2). */
export const chainIndices = { first: 0x01c0_0100, last: 0x01c0_01ff } as const;

const common =
  objectAttribute.fixedTpm |
  objectAttribute.fixedParent |
  objectAttribute.sensitiveDataOrigin |
  objectAttribute.adminWithPolicy |
  objectAttribute.restricted |
  objectAttribute.decrypt;

/** PolicyA (B.6.2): TPM2_PolicySecret with the endorsement hierarchy. */
const policyA = fromHex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa');
/** PolicyB (B.6.3 to B.6.5): PolicyA, or what an NV index authorizes. */
const policyBSha256 = fromHex('ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0');
const policyBSha384 = fromHex(
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
);

const none = u16(algorithm.null);
const emptyPoint = concatBytes(u16(0), u16(0));
const zeroPoint = concatBytes(sized(new Uint8Array(32)), sized(new Uint8Array(32)));

/** TPMS_RSA_PARMS of 2048 bits with the default exponent (part 2, 12.2.3.5). */
const rsa2048 = concatBytes(aes128Cfb, none, u16(2048), u32(0));
const p256 = concatBytes(aes128Cfb, none, u16(curve.p256), none);
const p384 = concatBytes(aes256Cfb, none, u16(curve.p384), none);

type Parts = Pick<PublicArea, 'kind' | 'parameters' | 'unique'>;

/** Templates L-1 and L-2 (B.3). */
const low = (parts: Parts): Uint8Array => publicArea({ ...parts, attributes: common, policy: policyA });

/** Templates H-1 to H-3 (B.4): usable by their empty authorization value too. */
const high = (parts: Parts, nameAlgorithm: number, policy: Uint8Array): Uint8Array =>
  publicArea({ ...parts, nameAlgorithm, policy, attributes: common | objectAttribute.userWithAuth });

export const endorsementRows: Readonly<Record<EndorsementKind, EndorsementRow>> = {
  'ecc-p384-high': {
    certificateIndex: 0x01c0_0016,
    template: high(
      { kind: algorithm.ecc, parameters: p384, unique: emptyPoint },
      algorithm.sha384,
      policyBSha384,
    ),
    usedBy: 'authorization',
  },
  'ecc-p256-high': {
    certificateIndex: 0x01c0_0014,
    template: high(
      { kind: algorithm.ecc, parameters: p256, unique: emptyPoint },
      algorithm.sha256,
      policyBSha256,
    ),
    usedBy: 'authorization',
  },
  'ecc-p256': {
    certificateIndex: 0x01c0_000a,
    template: low({ kind: algorithm.ecc, parameters: p256, unique: zeroPoint }),
    usedBy: 'endorsement-policy',
  },
  'rsa-2048-high': {
    certificateIndex: 0x01c0_0012,
    template: high(
      { kind: algorithm.rsa, parameters: rsa2048, unique: sized(new Uint8Array(0)) },
      algorithm.sha256,
      policyBSha256,
    ),
    usedBy: 'authorization',
  },
  'rsa-2048': {
    certificateIndex: 0x01c0_0002,
    template: low({ kind: algorithm.rsa, parameters: rsa2048, unique: sized(new Uint8Array(256)) }),
    usedBy: 'endorsement-policy',
  },
};
