/**
 * Who was sent a study and when, from receipts that are proved one by one. The study's record counts its opens, so
 * that no box can leave one out. To whom a receipt belongs stands in the wallet's own record of grants alone.
 */
import { toHex } from '../src/encoding/bytes.ts';
import { AppError } from '../src/errors.ts';
import {
  basisRecord,
  openRecord,
  revocationRecord,
  stateKeys,
  studyRecord,
  toBasisId,
} from '../src/ledger/index.ts';
import type { BlockHeader, BasisId, BasisRecord, StudyId, StudyRecord } from '../src/ledger/types.ts';
import type { LedgerReader } from './ledger-reader.ts';
import { readRecord } from './records.ts';
import type { RecordedGrant } from './wallet-data.ts';

export type GrantStatus = 'active' | 'used-up' | 'expired' | 'revoked' | 'not-on-ledger';

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

export interface Release {
  /** Receipts of a study are numbered from 1. */
  readonly number: number;
  readonly grantId: BasisId;
  /** From the wallet's own record; null for a grant that this wallet did not make. */
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
  readonly releases: readonly Release[];
}

export interface HistoryQuestion {
  readonly ledger: LedgerReader;
  readonly studyId: StudyId;
  /** Whose box is asked first. */
  readonly preferred: string;
  /** The wallet's grants of this study. */
  readonly grants: readonly RecordedGrant[];
}

/** undefined if the ledger proves that there is no such study. @throws AppError LEDGER_UNPROVEN if a receipt is left out. */
export async function readHistory(question: HistoryQuestion): Promise<StudyHistory | undefined> {
  const { ledger, studyId, preferred, grants } = question;
  const first = await ledger.read([stateKeys.study(studyId)], preferred);
  const study = readRecord(studyRecord, first.values[0]);
  if (study === undefined) return undefined;
  const grantIds = grants.map((grant) => toBasisId(grant.grantId));
  const openNumbers = Array.from({ length: study.opens }, (_, index) => index + 1);
  const keys = [
    ...openNumbers.map((number) => stateKeys.open(studyId, number)),
    ...grantIds.flatMap((id) => [stateKeys.basis(id), stateKeys.revoked(id)]),
  ];
  const values = keys.length === 0 ? [] : (await ledger.read(keys, preferred)).values;
  return {
    studyId,
    source: study.source,
    version: study.version,
    closed: study.closed,
    asOf: { height: first.header.height, time: first.header.time },
    grants: grants
      .map((grant, index) => describeGrant(grant, study, first.header, values.slice(study.opens + 2 * index)))
      // A grant that the ledger refused and can no longer take was none.
      .filter(
        ({ status }, index) =>
          status !== 'not-on-ledger' || (grants[index]?.validUntil ?? 0) >= first.header.time,
      ),
    releases: openNumbers.map((number, index) => describeOpen(number, values[index], grants)),
  };
}

function describeGrant(
  grant: RecordedGrant,
  study: StudyRecord,
  header: BlockHeader,
  [grantValue, revokedValue]: readonly (Uint8Array | null)[],
): GrantHistory {
  const record = readRecord(basisRecord, grantValue);
  const revoked = readRecord(revocationRecord, revokedValue) !== undefined || grant.seq <= study.revokedUpTo;
  return {
    grantId: toBasisId(grant.grantId),
    grantee: grant.grantee,
    purpose: grant.terms.purpose,
    person: grant.terms.person,
    status: record === undefined ? 'not-on-ledger' : grantStatus(record, revoked, study, header.time),
    grantedAt: record?.grantedAt ?? null,
    expiry: grant.expiry,
    opens: record?.opens ?? 0,
    maxOpens: record?.maxOpens ?? null,
  };
}

function grantStatus(record: BasisRecord, revoked: boolean, study: StudyRecord, time: number): GrantStatus {
  if (revoked || record.ownerEpoch !== study.ownerEpoch) return 'revoked';
  if (record.expiry <= time) return 'expired';
  return record.opens >= record.maxOpens ? 'used-up' : 'active';
}

function describeOpen(
  number: number,
  value: Uint8Array | null | undefined,
  grants: readonly RecordedGrant[],
): Release {
  const record = readRecord(openRecord, value);
  if (record === undefined) {
    throw new AppError(
      'LEDGER_UNPROVEN',
      `Receipt ${number} of the study is missing from the ledger's proof.`,
    );
  }
  const grantId = toHex(record.basisId);
  const grant = grants.find((candidate) => toHex(candidate.grantId) === grantId);
  return {
    number,
    grantId: toBasisId(record.basisId),
    grantee: grant?.grantee ?? null,
    purpose: grant?.terms.purpose ?? null,
    openedAt: record.openedAt,
    closed: record.closed && { at: record.closed.at, sizeBucket: record.closed.sizeBucket },
  };
}
