/**
 * The policy under which the keys of a box open, as pure data (ADR 0040):
 *
 *   device policy = A or R
 *   A = what the approval index holds now = one or two approved firmwares
 *   approved firmware = these values of PCR 7 and 11, while the firmware counter is at most that
 *   R = a signature of the hospital's offline rescue key, and the recovery code
 *
 * The digest of A and R is fixed in each key for ever; what the index holds is not.
 */
import { concatBytes, equalBytes, u16 } from '../../src/encoding/bytes.ts';
import { algorithm } from '../wire/constants.ts';
import { approvalStep, devicePolicyOf, policyBranches, type RescueNames } from '../wire/device-policy.ts';
import { erasureCounter, firmwareCounter } from '../wire/nv.ts';
import { counterDigest, policyDigest, policyOrDigest, type PolicyStep } from '../wire/policy.ts';
import { nameOf, type ObjectBlob } from '../wire/structures.ts';

/** Registers to which all keys are bound: who vouches for the boot chain (7), and Hilum's own firmware (11). */
export const boundRegisters: readonly number[] = [7, 11];

/** A firmware that may open the keys. */
export interface ApprovedFirmware {
  /** Of the bound registers, in their order, 32 bytes each. */
  readonly values: readonly Uint8Array[];
  /** The firmware counter's value above which this firmware is dead. */
  readonly countMax: number;
}

/** The firmware that runs, and the one that may follow it. */
export type Approval = readonly [ApprovedFirmware] | readonly [ApprovedFirmware, ApprovedFirmware];

/** The rescue branch of a box, if its hospital has an offline rescue key. */
export interface Rescue {
  /** The offline key: P-256, uncompressed SEC1, 65 bytes. */
  readonly key: Uint8Array;
  /** An object whose authorization value comes from the recovery code. */
  readonly lock: ObjectBlob;
}

function firmwareSteps({ values, countMax }: ApprovedFirmware): readonly PolicyStep[] {
  return [
    { kind: 'pcr', pcrs: { registers: boundRegisters, values } },
    { kind: 'counter', index: firmwareCounter, valueMax: countMax },
  ];
}

/** PolicyOR wants two: a single one stands twice. */
function approvalBranches([first, second = first]: Approval): readonly Uint8Array[] {
  return [first, second].map((firmware) => policyDigest(firmwareSteps(firmware)));
}

/** What the approval index holds for this approval: hash algorithm and policy digest (part 3, 23.22.1). */
export function approvalContent(approval: Approval): Uint8Array {
  return concatBytes(u16(algorithm.sha256), policyOrDigest(approvalBranches(approval)));
}

/** The rescue as others are told of it. */
export function rescueNames(rescue: Rescue | undefined): RescueNames | undefined {
  return rescue && { key: rescue.key, lockName: nameOf(rescue.lock.publicArea) };
}

/** A and R. Without a rescue key A stands twice. */
export function deviceBranches(rescue: Rescue | undefined): readonly Uint8Array[] {
  return policyBranches(rescueNames(rescue));
}

/** authPolicy of every key of the box, 32 bytes. */
export function devicePolicyDigest(rescue: Rescue | undefined): Uint8Array {
  return devicePolicyOf(rescueNames(rescue));
}

/** What a session does so that this firmware, one of the approved ones, satisfies the device policy. */
export function deviceSteps(
  running: ApprovedFirmware,
  approval: Approval,
  rescue: Rescue | undefined,
): readonly PolicyStep[] {
  return [
    ...firmwareSteps(running),
    { kind: 'or', branches: approvalBranches(approval) },
    approvalStep,
    { kind: 'or', branches: deviceBranches(rescue) },
  ];
}

/** The box key asks for this besides: it is dead once the erasure counter is beyond that value. */
export function erasureStep(erasuresMax: number): PolicyStep {
  return { kind: 'counter', index: erasureCounter, valueMax: erasuresMax };
}

/** authPolicy of a box key, 32 bytes. */
export function boxKeyPolicyDigest(rescue: Rescue | undefined, erasuresMax: number): Uint8Array {
  return counterDigest(devicePolicyDigest(rescue), erasureCounter, erasuresMax);
}

export function sameRegisters(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  return (
    left.length === right.length &&
    left.every((value, index) => equalBytes(value, right[index] as Uint8Array))
  );
}

/** Which of the approved firmwares has these registers. */
export function firmwareWith(
  approval: Approval,
  values: readonly Uint8Array[],
): ApprovedFirmware | undefined {
  return approval.find((firmware) => sameRegisters(firmware.values, values));
}
