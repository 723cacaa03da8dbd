/**
 * Who was permitted and who was sent a study, and when, from records that are proved one by one. The study's record
 * counts its permissions and its opens, so that no box can leave one out: what a source or a member did without the
 * owner is among them. To whom a grant was made stands in the wallet's own record of grants alone.
 */
import { toHex } from '../src/encoding/bytes.ts';
import { AppError } from '../src/errors.ts';
import { stateKeys, toBasisId } from '../src/ledger/index.ts';
import type { BasisId, BasisKind, OpenRecord, StudyId, StudyRecord } from '../src/ledger/types.ts';
import {
  judgeBasis,
  judgeReceipts,
  judgeStudy,
  judgeStudyBases,
  receiptKeys,
  studyBasisKeys,
  studyKeys,
  type BasisClaim,
} from './ledger-claims.ts';
import type { LedgerReader, LedgerReading } from './ledger-reader.ts';
import type { OwnedStudy } from './owned-studies.ts';
import type { RecordedGrant } from './wallet-data.ts';

export type GrantStatus =
  | 'active'
  | 'used-up'
  | 'expired'
  | 'revoked'
  /** The source has frozen, rescinded or erased the study. */
  | 'withheld'
  | 'not-on-ledger';

export interface GrantHistory {
  readonly grantId: BasisId;
  readonly grantee: string;
  readonly purpose: string;
  readonly person: string | null;
  readonly status: GrantStatus;
  /** Block time, UTC milliseconds; null if it is not on the ledger. */
  readonly grantedAt: number | null;
  readonly expiry: number;
  readonly opens: number;
  readonly maxOpens: number | null;
}

/** A permission that this wallet did not give: by another of the patient's devices, by the source, by a member. */
export interface OtherBasis {
  readonly basisId: BasisId;
  readonly kind: BasisKind;
  /** Who declared the emergency; null of others, whose grantee the ledger hides. */
  readonly institution: string | null;
  readonly status: GrantStatus;
  /** Block times, UTC milliseconds. */
  readonly grantedAt: number;
  readonly expiry: number;
  readonly opens: number;
  readonly maxOpens: number;
}

export interface Release {
  /** Receipts of a study are numbered from 1. */
  readonly number: number;
  readonly grantId: BasisId;
  /** From the wallet's own record, or who declared the emergency; null if neither says it. */
  readonly grantee: string | null;
  readonly purpose: string | null;
  /** Block time, UTC milliseconds. */
  readonly openedAt: number;
  /** null: the study is being sent, or the sending broke off. `sizeBucket`: ⌈log2(bytes)⌉. */
  readonly closed: { readonly at: number; readonly sizeBucket: number } | null;
}

export interface StudyHistory {
  readonly studyId: StudyId;
  readonly source: string;
  readonly version: number;
  readonly closed: boolean;
  /** The oldest block under which a part of this was proved: complete up to it. */
  readonly asOf: { readonly height: number; readonly time: number };
  readonly grants: readonly GrantHistory[];
  readonly others: readonly OtherBasis[];
  readonly releases: readonly Release[];
}

export interface HistoryQuestion {
  readonly ledger: LedgerReader;
  readonly chain: Uint8Array;
  readonly studyId: StudyId;
  /** Whose box is asked first. */
  readonly preferred: string;
  /** The wallet's grants of this study. */
  readonly grants: readonly RecordedGrant[];
}

/** undefined if the ledger proves that there is no such study. @throws AppError LEDGER_UNPROVEN if something is left out. */
export async function readHistory(question: HistoryQuestion): Promise<StudyHistory | undefined> {
  const { ledger, chain, studyId, preferred, grants } = question;
  const { header, values } = await ledger.read(studyKeys(studyId), preferred);
  const study = judgeStudy(chain, studyId, values);
  if (study === undefined) return undefined;
  const { receipts, basisIds } = await readLists(question, study);
  const ownIds = grants.map((grant) => toBasisId(grant.grantId));
  const otherIds = basisIds.filter((id) => !ownIds.includes(id));
  const claims = await readClaims(question, [...ownIds, ...otherIds], header.time);
  const others = otherIds.map((id) => describeOther(id, claims.get(id)));
  return {
    studyId,
    source: study.source,
    version: study.version,
    closed: study.closed,
    asOf: { height: header.height, time: header.time },
    grants: grants
      .map((grant, index) => describeGrant(grant, claims.get(ownIds[index] as BasisId)))
      // A grant that the ledger refused and can no longer take was none.
      .filter(
        ({ status }, index) => status !== 'not-on-ledger' || (grants[index]?.validUntil ?? 0) >= header.time,
      ),
    others,
    releases: receipts.map((receipt, index) => describeRelease(index + 1, receipt, grants, others)),
  };
}

/** Of a study that was registered in bulk and that nobody used yet: the ledger has no record of it alone. */
export function unusedHistory({
  studyId,
  source,
  record,
  provedAt,
}: Extract<OwnedStudy, { kind: 'verified' }>): StudyHistory {
  const { version, closed } = record;
  return { studyId, source, version, closed, asOf: provedAt, grants: [], others: [], releases: [] };
}

/** All receipts and the ids of all bases, as many as the study's record counts. */
async function readLists(
  { ledger, studyId, preferred }: HistoryQuestion,
  study: StudyRecord,
): Promise<{ readonly receipts: readonly OpenRecord[]; readonly basisIds: readonly BasisId[] }> {
  const receiptList = receiptKeys(studyId, study);
  const values = await readAll(ledger, [...receiptList, ...studyBasisKeys(studyId, study)], preferred);
  const receipts = judgeReceipts(study, values);
  const basisIds = judgeStudyBases(study, values.slice(receiptList.length));
  if (receipts === undefined || basisIds === undefined) {
    const missing = receipts === undefined ? 'receipt' : 'permission';
    throw new AppError('LEDGER_UNPROVEN', `A ${missing} of the study is missing from the ledger's proof.`);
  }
  return { receipts, basisIds };
}

/** How each basis stands, by its id. */
async function readClaims(
  { ledger, studyId, preferred }: HistoryQuestion,
  ids: readonly BasisId[],
  time: number,
): Promise<ReadonlyMap<BasisId, BasisClaim>> {
  if (ids.length === 0) return new Map();
  const own = ids.flatMap((id) => [stateKeys.basis(id), stateKeys.revoked(id)]);
  const [study, ...values] = await readAll(ledger, [stateKeys.study(studyId), ...own], preferred);
  return new Map(
    ids.map((id, index) => {
      const [basis, revoked] = values.slice(2 * index, 2 * index + 2);
      return [id, judgeBasis(studyId, [study, basis, revoked], time)];
    }),
  );
}

async function readAll(
  ledger: LedgerReader,
  keys: readonly string[],
  preferred: string,
): Promise<LedgerReading['values']> {
  return keys.length === 0 ? [] : (await ledger.read(keys, preferred)).values;
}

function describeGrant(grant: RecordedGrant, claim: BasisClaim | undefined): GrantHistory {
  const basis = claim?.basis;
  return {
    grantId: toBasisId(grant.grantId),
    grantee: grant.grantee,
    purpose: grant.terms.purpose,
    person: grant.terms.person,
    status: statusOf(claim),
    grantedAt: basis?.grantedAt ?? null,
    expiry: grant.expiry,
    opens: basis?.opens ?? 0,
    maxOpens: basis?.maxOpens ?? null,
  };
}

/** @throws AppError LEDGER_UNPROVEN if the basis, which the ledger numbered, is proved not to stand there. */
function describeOther(basisId: BasisId, claim: BasisClaim | undefined): OtherBasis {
  const basis = claim?.basis;
  if (basis === undefined) {
    throw new AppError('LEDGER_UNPROVEN', 'A permission of the study is numbered but missing.');
  }
  const { kind, grantedAt, expiry, opens, maxOpens, emergency } = basis;
  const institution = emergency?.institution ?? null;
  return { basisId, kind, institution, status: statusOf(claim), grantedAt, expiry, opens, maxOpens };
}

const statuses: Readonly<Record<Extract<BasisClaim, { kind: 'inactive' }>['reason'], GrantStatus>> = {
  'unknown-basis': 'not-on-ledger',
  'opens-exhausted': 'used-up',
  'basis-expired': 'expired',
  'emergency-unconfirmed': 'expired',
  revoked: 'revoked',
  // What an owner before signed holds no more.
  'owner-epoch-stale': 'revoked',
  'basis-not-yet-valid': 'active',
  'study-frozen': 'withheld',
  'reassignment-pending': 'withheld',
  'study-rescinded': 'withheld',
  'study-erased': 'withheld',
};

function statusOf(claim: BasisClaim | undefined): GrantStatus {
  if (claim === undefined) return 'not-on-ledger';
  return claim.kind === 'active' ? 'active' : statuses[claim.reason];
}

function describeRelease(
  number: number,
  { basisId, openedAt, closed }: OpenRecord,
  grants: readonly RecordedGrant[],
  others: readonly OtherBasis[],
): Release {
  const grantId = toBasisId(basisId);
  const grant = grants.find((candidate) => toHex(candidate.grantId) === grantId);
  const other = others.find((candidate) => candidate.basisId === grantId);
  return {
    number,
    grantId,
    grantee: grant?.grantee ?? other?.institution ?? null,
    purpose: grant?.terms.purpose ?? null,
    openedAt,
    closed: closed && { at: closed.at, sizeBucket: closed.sizeBucket },
  };
}
