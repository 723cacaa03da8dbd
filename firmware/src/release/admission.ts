/**
 * Whether a source releases: pure, from a snapshot of its ledger and its clock (DESIGN.md, 4; PROTOCOL.md,
 * "Freshness"). The ground of a refusal is for the source's own console; the asker gets one answer for all.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { toBasisId, toStudyId } from '../ledger/ids.ts';
import type {
  AccessClose,
  AccessOpen,
  BasisReason,
  BasisRecord,
  LedgerState,
  StudyRecord,
} from '../ledger/types.ts';
import type { InstitutionId, LedgerHead } from '../ports.ts';
import { isGrantee } from '../protocol/grants.ts';
import { headAgeMsMax, headAheadMsMax, receiptAheadMsMax } from './limits.ts';

export type RefusalGround =
  | 'the request is malformed'
  | 'no such study here'
  | 'the ledger is not fresh'
  | 'the institution did not attest'
  | 'no grant by the patient'
  | 'the grant was withdrawn'
  | 'the study has another owner since'
  | 'the grant is not yet valid'
  | 'the grant has expired'
  | 'the emergency was not confirmed in time'
  | 'the study is frozen'
  | 'the study is to be reassigned'
  | 'the study was rescinded'
  | 'the study was erased'
  | 'the grant is addressed to another institution'
  | 'the grant is used up'
  | 'the institution has opened too much in this epoch'
  | 'the grant does not cover this version'
  | 'the receipt is not the next of its grant'
  | 'another receipt of its grant is under way'
  | 'the receipt is valid for too long'
  | 'the receipt is valid no more'
  | 'the signature is wrong'
  | 'the digest is not of what was sent'
  | 'the size is not of what was sent'
  | 'the ledger refused the receipt'
  | 'no open receipt';

export interface LedgerSnapshot {
  readonly head: LedgerHead;
  readonly state: LedgerState;
  /** The source's own clock, UTC milliseconds. */
  readonly now: number;
  /** True while the consortium's rule keeps releases from this member: its TPM failed to attest, or is silent. */
  readonly suspends: (member: InstitutionId) => boolean;
}

export type Admission<Admitted> =
  ({ readonly kind: 'admitted' } & Admitted) | { readonly kind: 'refused'; readonly ground: RefusalGround };

const refused = (ground: RefusalGround) => ({ kind: 'refused', ground }) as const;

/** Whether the ledger state is one on which anything may be released. */
export function isFresh({ now, head }: Pick<LedgerSnapshot, 'now' | 'head'>): boolean {
  const ageMs = now - head.time;
  return ageMs <= headAgeMsMax && ageMs >= -headAheadMsMax;
}

/**
 * Whether a receipt applies soon or never. The source submits what it signs, and what may apply later has a place in the
 * memory of every box until then: a member's receipts would take those of the hospital's own transactions. And what can
 * be final no more is not worth signing, or remembering.
 */
export function validityGround(
  { validUntil }: Pick<AccessOpen | AccessClose, 'validUntil'>,
  { now, head }: Pick<LedgerSnapshot, 'now' | 'head'>,
): RefusalGround | undefined {
  if (validUntil <= head.time) return 'the receipt is valid no more';
  return validUntil > now + receiptAheadMsMax ? 'the receipt is valid for too long' : undefined;
}

/** The ledger's word for why a basis permits nothing, as the source's console tells it. */
const grounds: Readonly<Record<BasisReason, RefusalGround>> = {
  revoked: 'the grant was withdrawn',
  'owner-epoch-stale': 'the study has another owner since',
  'basis-not-yet-valid': 'the grant is not yet valid',
  'basis-expired': 'the grant has expired',
  'emergency-unconfirmed': 'the emergency was not confirmed in time',
  'study-frozen': 'the study is frozen',
  'reassignment-pending': 'the study is to be reassigned',
  'study-rescinded': 'the study was rescinded',
  'study-erased': 'the study was erased',
};

/**
 * Whether this grant, referral or emergency permits bytes to leave for this member now, by block time and by the own
 * clock: asked before an open, and again while streaming.
 */
export function basisPermits(
  snapshot: LedgerSnapshot,
  asker: InstitutionId,
  basisIdBytes: Uint8Array,
): Admission<{ readonly basis: BasisRecord }> {
  const { state, head, now } = snapshot;
  if (!isFresh(snapshot)) return refused('the ledger is not fresh');
  if (snapshot.suspends(asker)) return refused('the institution did not attest');
  const id = toBasisId(basisIdBytes);
  const basis = state.basis(id);
  if (basis === undefined) return refused('no grant by the patient');
  const reason = state.basisRefusal(id, head.time) ?? state.basisRefusal(id, now);
  if (reason === 'unknown-basis') throw new Error('a basis stands on the ledger without its study');
  return reason === undefined ? { kind: 'admitted', basis } : refused(grounds[reason]);
}

/** Whether a member may open a study: everything but the signature, which the caller verifies with the grant's key. */
export function admitOpen(
  snapshot: LedgerSnapshot,
  self: InstitutionId,
  asker: InstitutionId,
  open: AccessOpen,
  tweak: Uint8Array,
): Admission<{ readonly basis: BasisRecord; readonly study: StudyRecord }> {
  const { state } = snapshot;
  if (!equalBytes(open.chain, state.chain)) return refused('the request is malformed');
  const study = state.study(toStudyId(open.studyId));
  if (study === undefined || study.source !== self || open.source !== self)
    return refused('no such study here');
  const permitted = basisPermits(snapshot, asker, open.basisId);
  if (permitted.kind === 'refused') return permitted;
  const { basis } = permitted;
  if (!equalBytes(basis.studyId, open.studyId)) return refused('no grant by the patient');
  const member = state.institution(asker);
  if (member === undefined || !isGrantee(member.account.spend, tweak, basis.granteeKey)) {
    return refused('the grant is addressed to another institution');
  }
  if (basis.opens >= basis.maxOpens) return refused('the grant is used up');
  if (!equalBytes(open.head, basis.amendments ? study.commitment : basis.head)) {
    return refused('the grant does not cover this version');
  }
  if (open.openNo !== basis.opens + 1) return refused('the receipt is not the next of its grant');
  const validity = validityGround(open, snapshot);
  if (validity !== undefined) return refused(validity);
  return { kind: 'admitted', basis, study };
}
