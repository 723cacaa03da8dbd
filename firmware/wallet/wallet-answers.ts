/** What the wallet is asked and what it answers. Refusals are values; faults of boxes and disks are thrown as AppError. */
import type { AppError } from '../src/errors.ts';
import type { BasisId, StudyId } from '../src/ledger/types.ts';
import type { OwnedStudy } from './owned-studies.ts';

export type WalletRefusal =
  /** The text is no ticket of a reception. */
  | 'ticket-malformed'
  /** The ticket is of another consortium than the wallet's. */
  | 'ticket-other-consortium'
  /** The institution of the ticket is no member. */
  | 'ticket-no-member'
  | 'too-many-hospitals'
  | 'study-not-found'
  /** More than one study fits. */
  | 'study-ambiguous'
  /** The source's note of the study does not agree with the ledger now. */
  | 'study-unverified'
  /** The source has frozen, rescinded or erased the study. */
  | 'study-not-open'
  | 'grantee-unknown'
  | 'grantee-is-source'
  /** The grantee's account on the ledger has keys that are refused. */
  | 'grantee-keys'
  | 'days-out-of-range'
  | 'opens-out-of-range'
  | 'purpose-out-of-range'
  | 'person-out-of-range'
  | 'too-many-grants'
  | 'grant-not-found'
  | 'nothing-to-revoke';

/** Why something was not done: by the wallet itself, or in the words of the hospital's box or the ledger. */
export type Refusal =
  | { readonly kind: 'refused'; readonly by: 'wallet'; readonly reason: WalletRefusal }
  | { readonly kind: 'refused'; readonly by: 'box' | 'ledger'; readonly reason: string };

export type WalletStudy =
  | Omit<Extract<OwnedStudy, { kind: 'verified' }>, 'signer' | 'leaf' | 'provedAt'>
  | Extract<OwnedStudy, { kind: 'unverified' }>;

export interface WalletStudies {
  readonly studies: readonly WalletStudy[];
  /** Hospitals whose mailbox could not be read now, and why: the list is not complete. */
  readonly unread: readonly { readonly institution: string; readonly error: AppError }[];
}

export interface GrantRequest {
  /** Study id (or at least 8 digits of it) or Study Instance UID. */
  readonly study: string;
  readonly grantee: string;
  readonly days: number;
  readonly purpose: string;
  readonly person?: string;
  /** How often the grantee may open the study; 5 if not said. A transfer that resumes is no new opening. */
  readonly maxOpens?: number;
  /** Whether what the source adds later is granted too; true if not said. */
  readonly amendments?: boolean;
}

export interface Granted {
  readonly kind: 'granted';
  readonly grantId: BasisId;
  readonly studyId: StudyId;
  readonly grantee: string;
  /** Block times, UTC milliseconds. */
  readonly grantedAt: number;
  readonly expiry: number;
}

export interface RevokeRequest {
  /** As in `GrantRequest`. */
  readonly study: string;
  /** One grant by its id (or at least 8 digits of it); all of the study if not said. */
  readonly grant?: string;
}

export interface Revoked {
  readonly kind: 'revoked';
  readonly studyId: StudyId;
  /** The one grant, or undefined when all were revoked. */
  readonly grantId: BasisId | undefined;
}
