/** What the consortium sets by vote: how long epochs, votes and windows last. They stand in the genesis document first. */
import type { CborMap } from '../../encoding/cbor-fields.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { booleanField, bytesField, integerField, listField, mapField } from '../fields.ts';
import {
  activationBlocksMax,
  activationBlocksMin,
  attestationMsMax,
  attestationMsMin,
  bootAuthoritiesMax,
  endorsementRootsMax,
  epochMsMax,
  epochMsMin,
  windowMsMax,
  windowMsMin,
} from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export interface Parameters {
  /** Block time that an epoch lasts at least; the first block at or after its end closes it. */
  readonly epochMs: number;
  /** How long a proposal may be voted on. */
  readonly proposalMs: number;
  /** How long a reassignment may be objected to before it takes effect. */
  readonly objectionMs: number;
  /** How long an emergency access lasts. */
  readonly emergencyMs: number;
  /** Within which a second person confirms an emergency access. */
  readonly confirmMs: number;
  /** Blocks between the quorum of signals for a format and the first block of that format. */
  readonly activationBlocks: number;
  /** How members hold each other's TPMs to what they said at their admission. */
  readonly attestation: {
    /** Mean time between two questions of one member to another. */
    readonly everyMs: number;
    /** Nothing is released to a member that fails, or that has not answered for long. */
    readonly suspends: boolean;
  };
  /** SHA-256 of the SubjectPublicKeyInfo of each root from which certificates of endorsement keys come: TPM vendors'. */
  readonly endorsementRoots: readonly Uint8Array[];
  /**
   * What PCR 7 may hold: Secure Boot's state, its keys, and which of them vouched for what was started (TCG PC Client
   * Platform Firmware Profile 1.05, 3.3.4.8). None: boot chains cannot be judged, and only simulators attest.
   */
  readonly bootAuthorities: readonly Uint8Array[];
}

const dayMs = 86_400_000;

/** For a new consortium; those who found it write them into the genesis document, as they are or changed. */
export const defaultParameters: Parameters = {
  epochMs: dayMs,
  proposalMs: 30 * dayMs,
  objectionMs: 14 * dayMs,
  emergencyMs: 5 * dayMs,
  confirmMs: dayMs,
  // A day of heartbeats, one every 10 s: time to update a box that has not been.
  activationBlocks: 8_640,
  attestation: { everyMs: dayMs / 4, suspends: false },
  // Vendors are named when a consortium is founded: none is trusted by default.
  endorsementRoots: [],
  bootAuthorities: [],
};

/** @throws ShapeError */
export function readParameters(value: CborValue, path: string): Parameters {
  const map = mapField(value, path, [
    'epochMs',
    'proposalMs',
    'objectionMs',
    'emergencyMs',
    'confirmMs',
    'activationBlocks',
    'attestation',
    'endorsementRoots',
    'bootAuthorities',
  ]);
  const attestation = mapField(map.attestation, `${path}.attestation`, ['everyMs', 'suspends']);
  const digests = (name: 'endorsementRoots' | 'bootAuthorities', max: number): readonly Uint8Array[] =>
    listField(map[name], `${path}.${name}`, 0, max).map((digest, index) =>
      bytesField(digest, `${path}.${name}[${index}]`, 32),
    );
  const window = (name: 'proposalMs' | 'objectionMs' | 'emergencyMs' | 'confirmMs'): number =>
    integerField(map[name], `${path}.${name}`, windowMsMin, windowMsMax);
  return {
    epochMs: integerField(map.epochMs, `${path}.epochMs`, epochMsMin, epochMsMax),
    proposalMs: window('proposalMs'),
    objectionMs: window('objectionMs'),
    emergencyMs: window('emergencyMs'),
    confirmMs: window('confirmMs'),
    activationBlocks: integerField(
      map.activationBlocks,
      `${path}.activationBlocks`,
      activationBlocksMin,
      activationBlocksMax,
    ),
    attestation: {
      everyMs: integerField(
        attestation.everyMs,
        `${path}.attestation.everyMs`,
        attestationMsMin,
        attestationMsMax,
      ),
      suspends: booleanField(attestation.suspends, `${path}.attestation.suspends`),
    },
    endorsementRoots: digests('endorsementRoots', endorsementRootsMax),
    bootAuthorities: digests('bootAuthorities', bootAuthoritiesMax),
  };
}

export function parametersValue({ attestation, ...parameters }: Parameters): CborMap {
  return { ...parameters, attestation: { ...attestation } };
}

export const parametersRecord = recordFormat<Parameters>(parametersValue, (value) =>
  readParameters(value, 'parameters'),
);
