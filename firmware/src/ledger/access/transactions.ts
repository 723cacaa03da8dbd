/** The transactions about access: on what basis a study may be opened, and the receipts of its being opened. */
import { accessClose, type AccessClose } from './close.ts';
import { accessConfirm, accessEmergency, type AccessConfirm, type AccessEmergency } from './emergency.ts';
import { accessGrant, type AccessGrant } from './grant.ts';
import { accessOpen, type AccessOpen } from './open.ts';
import { accessRefer, type AccessRefer } from './refer.ts';
import { accessRevoke, type AccessRevoke } from './revoke.ts';

export type {
  AccessClose,
  AccessConfirm,
  AccessEmergency,
  AccessGrant,
  AccessOpen,
  AccessRefer,
  AccessRevoke,
};

/** What lets an institution open a study. */
export type BasisBody = AccessGrant | AccessRefer | AccessEmergency;

export type AccessBody =
  AccessGrant | AccessRevoke | AccessRefer | AccessEmergency | AccessConfirm | AccessOpen | AccessClose;

export function isBasis(body: { readonly type: string }): body is BasisBody {
  return body.type === 'access.grant' || body.type === 'access.refer' || body.type === 'access.emergency';
}

export const accessTransactions = {
  'access.grant': accessGrant,
  'access.revoke': accessRevoke,
  'access.refer': accessRefer,
  'access.emergency': accessEmergency,
  'access.confirm': accessConfirm,
  'access.open': accessOpen,
  'access.close': accessClose,
} as const;
