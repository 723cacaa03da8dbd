/** All operations of the broker: a family is added here, and nowhere else. */
import { attestationOperations, type AttestationOperations } from './operations/attestation.ts';
import { authenticityOperations, type AuthenticityOperations } from './operations/authenticity.ts';
import type { Handlers } from './operations/family.ts';
import { identityOperations, type IdentityOperations } from './operations/identity.ts';
import { nvOperations, type NvOperations } from './operations/nv.ts';
import { ownershipOperations, type OwnershipOperations } from './operations/ownership.ts';
import { platformOperations, type PlatformOperations } from './operations/platform.ts';
import { rescueOperations, type RescueOperations } from './operations/rescue.ts';
import { sealingOperations, type SealingOperations } from './operations/sealing.ts';

export type TpmOperations = AttestationOperations &
  AuthenticityOperations &
  IdentityOperations &
  NvOperations &
  OwnershipOperations &
  PlatformOperations &
  RescueOperations &
  SealingOperations;

/** Those that find the key of the one before them loaded, if it is the same; all others find every slot free. */
export const keepingOperations: ReadonlySet<keyof TpmOperations> = new Set(['sign', 'quote']);

export const tpmOperations: Handlers<TpmOperations> = {
  ...attestationOperations,
  ...authenticityOperations,
  ...identityOperations,
  ...nvOperations,
  ...ownershipOperations,
  ...platformOperations,
  ...rescueOperations,
  ...sealingOperations,
};
