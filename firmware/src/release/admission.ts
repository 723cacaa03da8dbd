/**
 * Whether a source releases: pure, from a snapshot of its ledger and its clock (DESIGN.md, 4; PROTOCOL.md,
 * "Freshness"). The ground of a refusal is for the source's own console; the asker gets one answer for all.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { toBasisId, toStudyId } from '../ledger/ids.ts';
import type { AccessOpen, BasisRecord, LedgerState, StudyRecord } from '../ledger/types.ts';
import type { InstitutionId, LedgerHead } from '../ports.ts';
import { isGrantee } from '../protocol/grants.ts';
import { headAgeMsMax } from './limits.ts';

export type RefusalGround =
  | 'the request is malformed'
  | 'no such study here'
  | 'the ledger is not fresh'
  | 'no grant by the patient'
  | 'the patient withdrew the grant'
  | 'the grant is not yet valid'
  | 'the grant has expired'
  | 'the grant is addressed to another institution'
  | 'the grant is used up'
  | 'the grant does not cover this version'
  | 'the signature is wrong'
  | 'the digest is not of what was sent'
  | 'the ledger refused the receipt'
  | 'no open receipt';

export interface LedgerSnapshot {
  readonly head: LedgerHead;
  readonly state: LedgerState;
  /** The source's own clock, UTC milliseconds. */
  readonly now: number;
}

export type Admission<Admitted> =
  ({ readonly kind: 'admitted' } & Admitted) | { readonly kind: 'refused'; readonly ground: RefusalGround };

const refused = (ground: RefusalGround) => ({ kind: 'refused', ground }) as const;

/** Whether the ledger state is one on which anything may be released. */
export function isFresh(snapshot: LedgerSnapshot): boolean {
  return Math.abs(snapshot.now - snapshot.head.time) <= headAgeMsMax;
}

/** Whether this grant permits bytes to leave now: asked before an open, and again while streaming. */
export function grantPermits(
  snapshot: LedgerSnapshot,
  grantIdBytes: Uint8Array,
): Admission<{ readonly grant: BasisRecord }> {
  const { state, head, now } = snapshot;
  if (!isFresh(snapshot)) return refused('the ledger is not fresh');
  const id = toBasisId(grantIdBytes);
  const grant = state.basis(id);
  if (grant === undefined) return refused('no grant by the patient');
  if (!state.basisStands(id)) return refused('the patient withdrew the grant');
  if (Math.min(head.time, now) < grant.notBefore) return refused('the grant is not yet valid');
  if (Math.max(head.time, now) >= grant.expiry) return refused('the grant has expired');
  return { kind: 'admitted', grant };
}

/** Whether a member may open a study: everything but the signature, which the caller verifies with the grant's key. */
export function admitOpen(
  snapshot: LedgerSnapshot,
  self: InstitutionId,
  asker: InstitutionId,
  open: AccessOpen,
  tweak: Uint8Array,
): Admission<{ readonly grant: BasisRecord; readonly study: StudyRecord }> {
  const { state } = snapshot;
  if (!equalBytes(open.chain, state.chain)) return refused('the request is malformed');
  const study = state.study(toStudyId(open.studyId));
  if (study === undefined || study.source !== self || open.source !== self)
    return refused('no such study here');
  const permitted = grantPermits(snapshot, open.basisId);
  if (permitted.kind === 'refused') return permitted;
  const { grant } = permitted;
  if (!equalBytes(grant.studyId, open.studyId)) return refused('no grant by the patient');
  const member = state.institution(asker);
  if (member === undefined || !isGrantee(member.account.spend, tweak, grant.granteeKey)) {
    return refused('the grant is addressed to another institution');
  }
  if (grant.opens >= grant.maxOpens) return refused('the grant is used up');
  if (!equalBytes(open.head, grant.amendments ? study.commitment : grant.head)) {
    return refused('the grant does not cover this version');
  }
  return { kind: 'admitted', grant, study };
}
