/** First round: whether the keys of a claim are what they are called, as far as that shows without the TPM. */
import { equalBytes, toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { devicePolicyOf } from '../../tpm/wire/device-policy.ts';
import { isSignedBy, readCertification, readCreation } from './attest.ts';
import type { DeviceNames } from './binding.ts';
import { speaksOf } from './certified-key.ts';
import { judgeChain, type ChainFailure } from './endorsement-chain.ts';
import type { Expectation } from './expectation.ts';
import type { ClaimedOrigin } from './judge-origin.ts';
import type { Claim } from './messages.ts';
import {
  isAttestationKey,
  isEndorsementKey,
  isIdentityKey,
  readEndorsementKey,
  readSigningKey,
  type EndorsementKey,
  type SigningKey,
} from './public-area.ts';
import { failed, passed, type Check, type CheckName } from './verdict.ts';
import { subjectPublicKeyInfo } from './web-key.ts';

/** A device whose keys are of the right kinds. That they are in one TPM is not proved yet. */
export interface ClaimedDevice {
  readonly names: DeviceNames;
  readonly endorsementKey: EndorsementKey;
  /** SHA-256 of its SubjectPublicKeyInfo, DER. */
  readonly endorsementKeyDigest: Uint8Array;
  readonly attestationKey: SigningKey;
  readonly identityKey: SigningKey;
  readonly origin: ClaimedOrigin;
  readonly development: boolean;
}

export interface ClaimJudgement {
  readonly checks: readonly Check[];
  /** Undefined if a check failed: there is nobody to challenge. */
  readonly device: ClaimedDevice | undefined;
}

const chainFindings: Readonly<Record<ChainFailure, string>> = {
  malformed: 'is no certificate',
  'not-an-endorsement-certificate': 'is not for an endorsement key',
  'not-issued-by-the-next': 'was not issued by the next one',
  'issuer-is-no-authority': 'may not issue certificates',
  'unknown-extension':
    'has a critical extension that is not judged here (name or policy constraints, perhaps)',
  'weak-signature': 'is signed with a hash that is too weak',
  'bad-signature': 'is not signed by the next one',
  'not-yet-valid': 'is not valid yet',
  expired: 'has expired',
  'unknown-root': 'ends at no root that the consortium pins',
  simulator: "is a simulator's, which counts in a development consortium only",
};

/** What the function reads, or undefined if the bytes are of another kind. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function checkKey(
  name: CheckName,
  key: SigningKey | undefined,
  fits: (key: SigningKey) => boolean,
  [good, bad]: readonly [string, string],
): Check {
  return key !== undefined && fits(key) ? passed(name, good) : failed(name, bad);
}

function checkCertification(
  claim: Claim,
  attestation: SigningKey | undefined,
  identity: SigningKey | undefined,
): Check {
  const name = 'certification';
  const certification = tried(() => readCertification(claim.certification));
  if (certification === undefined || attestation === undefined || identity === undefined)
    return failed(name, 'There is no certification of the making of a key.');
  if (!isSignedBy(attestation.point, claim.certification, claim.signature))
    return failed(name, 'The attestation key did not sign the certification.');
  if (!equalBytes(certification.name, identity.name))
    return failed(name, 'The attestation key certified another key.');
  return equalBytes(certification.creationHash, sha256(claim.creation))
    ? passed(name, 'The attestation key certifies that its TPM made the identity key, and how.')
    : failed(name, 'The attestation key certified another making of the identity key.');
}

/** Whoever holds a key under a policy of his own opens it whatever firmware runs, and whatever a quote says of it. */
function checkPolicy({ rescueKey, rescueLock }: Claim, identity: SigningKey | undefined): Check {
  const name = 'device-policy';
  const rescue = rescueKey.length === 0 ? undefined : { key: rescueKey, lockName: rescueLock };
  if (identity === undefined || !equalBytes(identity.policy, devicePolicyOf(rescue)))
    return failed(name, 'The identity key opens under another policy than that of a box.');
  return rescue === undefined
    ? passed(name, 'The identity key opens for approved firmware and nothing else.')
    : passed(
        name,
        `The identity key opens for approved firmware, and by the offline rescue key that begins with ${toHex(rescueKey.subarray(1, 9))} together with a recovery code.`,
      );
}

export async function judgeClaim(
  claim: Claim,
  { trust, now }: Pick<Expectation, 'trust' | 'now'>,
): Promise<ClaimJudgement> {
  const chain = await judgeChain(claim.certificates, trust, now);
  const endorsementKey = tried(() => readEndorsementKey(claim.endorsementKey));
  const attestationKey = tried(() => readSigningKey(claim.attestationKey));
  const identityKey = tried(() => readSigningKey(claim.identityKey));
  const matches =
    chain.kind === 'trusted' &&
    endorsementKey !== undefined &&
    isEndorsementKey(endorsementKey) &&
    (await speaksOf(chain.subjectPublicKeyInfo, endorsementKey));
  const checks = [
    chain.kind === 'trusted'
      ? passed(
          'endorsement-chain',
          chain.development
            ? "The endorsement certificate is a simulator's, which this development consortium takes."
            : 'The endorsement certificate comes from a root that the consortium pins.',
        )
      : failed(
          'endorsement-chain',
          `Certificate ${chain.at + 1} of the endorsement key ${chainFindings[chain.failure]}.`,
        ),
    matches
      ? passed('endorsement-key', 'The certificate speaks of the endorsement key.')
      : failed('endorsement-key', 'The certificate speaks of another key, or of none.'),
    checkKey('attestation-key', attestationKey, isAttestationKey, [
      'The attestation key is bound to its TPM and signs only what the TPM says.',
      'The attestation key may leave its TPM, or signs what others say.',
    ]),
    checkKey('identity-key', identityKey, isIdentityKey, [
      'The identity key is bound to its TPM and to a policy.',
      'The identity key may leave its TPM, or is usable without a policy.',
    ]),
    checkPolicy(claim, identityKey),
    checkCertification(claim, attestationKey, identityKey),
  ];
  const [certificate] = claim.certificates;
  if (certificate === undefined || endorsementKey === undefined) return { checks, device: undefined };
  if (attestationKey === undefined || identityKey === undefined) return { checks, device: undefined };
  const creation = tried(() => readCreation(claim.creation));
  if (creation === undefined || !checks.every((check) => check.passed)) return { checks, device: undefined };
  const { originRegisters: registers, taken, takenSignature } = claim;
  const names = {
    endorsement: sha256(certificate),
    attestationKey: attestationKey.name,
    identityKey: identityKey.name,
  };
  const development = chain.kind === 'trusted' && chain.development;
  const origin = { creation, registers, taken, takenSignature };
  const endorsementKeyDigest = sha256(await subjectPublicKeyInfo(endorsementKey));
  const keys = { endorsementKey, endorsementKeyDigest, attestationKey, identityKey };
  return { checks, device: { names, ...keys, origin, development } };
}
