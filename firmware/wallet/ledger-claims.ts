/**
 * What proved values say of studies, permissions and releases, at the height of the header under which they were proved.
 * For each question there are the keys to ask for, and the judgement of the values that were proved for them.
 * All of it throws AppError LEDGER_UNPROVEN if a record is of no known form.
 */
import { equalBytes } from '../src/encoding/bytes.ts';
import {
  basisRecord,
  basisRefusal,
  batchRecord,
  idBytes,
  openLeaf,
  openRecord,
  revocationRecord,
  stateKeys,
  studyBasisRecord,
  studyRecord,
  toBasisId,
} from '../src/ledger/index.ts';
import type {
  BasisId,
  BasisReason,
  BasisRecord,
  ChainId,
  Institution,
  OpenRecord,
  StudyId,
  StudyLeaf,
  StudyRecord,
} from '../src/ledger/types.ts';
import { isGrantee } from '../src/protocol/grants.ts';
import { readRecord } from './records.ts';

/** In the order of the keys asked for; null: proved to be absent. */
type Values = readonly (Uint8Array | null | undefined)[];

/** `leaf`: of a study that was registered in bulk. */
export function studyKeys(id: StudyId, leaf?: StudyLeaf): readonly string[] {
  const own = stateKeys.study(id);
  return leaf === undefined ? [own] : [own, stateKeys.batch(leaf.source, leaf.batch)];
}

/**
 * How the study stands. One that was registered in bulk and never used has no record, which is proved too: its leaf says
 * how it stands, under the batch's root. Undefined if there is no such study; a leaf that is not its own shows nothing.
 */
export function judgeStudy(
  chain: ChainId,
  id: StudyId,
  values: Values,
  leaf?: StudyLeaf,
): StudyRecord | undefined {
  const study = readRecord(studyRecord, values[0]);
  if (study !== undefined || leaf === undefined) return study;
  const batch = readRecord(batchRecord, values[1]);
  const opened = batch && openLeaf(chain, id, leaf, batch);
  return typeof opened === 'string' ? undefined : opened;
}

export function basisKeys(study: StudyId, basis: BasisId): readonly string[] {
  return [stateKeys.study(study), stateKeys.basis(basis), stateKeys.revoked(basis)];
}

export type BasisClaim =
  | { readonly kind: 'active'; readonly basis: BasisRecord }
  | {
      readonly kind: 'inactive';
      readonly reason: BasisReason | 'unknown-basis' | 'opens-exhausted';
      /** Undefined if the study has no such basis. */
      readonly basis: BasisRecord | undefined;
    };

/** Whether the grant, referral or emergency permits an opening of the study at this block time, UTC milliseconds. */
export function judgeBasis(study: StudyId, values: Values, time: number): BasisClaim {
  const standing = readRecord(studyRecord, values[0]);
  const basis = readRecord(basisRecord, values[1]);
  const isRevoked = readRecord(revocationRecord, values[2]) !== undefined;
  if (standing === undefined || basis === undefined || !equalBytes(basis.studyId, idBytes(study))) {
    return { kind: 'inactive', reason: 'unknown-basis', basis: undefined };
  }
  const refusal = basisRefusal(basis, standing, isRevoked, time);
  const reason = refusal ?? (basis.opens >= basis.maxOpens ? 'opens-exhausted' : undefined);
  return reason === undefined ? { kind: 'active', basis } : { kind: 'inactive', reason, basis };
}

/** Of all bases that the study's record counts: none can be left out. */
export function studyBasisKeys(id: StudyId, study: StudyRecord): readonly string[] {
  return Array.from({ length: study.bases }, (_, index) => stateKeys.studyBasis(id, index + 1));
}

/** Their ids, from number 1 on; undefined if one is missing, whatever the box said. */
export function judgeStudyBases(study: StudyRecord, values: Values): readonly BasisId[] | undefined {
  return complete(study.bases, values, (value) => {
    const record = readRecord(studyBasisRecord, value);
    return record && toBasisId(record.basisId);
  });
}

/** Of all receipts that the study's record counts: none can be left out. */
export function receiptKeys(id: StudyId, study: StudyRecord): readonly string[] {
  return Array.from({ length: study.opens }, (_, index) => stateKeys.open(id, index + 1));
}

/** All releases of the study, from number 1 on; undefined if one is missing, whatever the box said. */
export function judgeReceipts(study: StudyRecord, values: Values): readonly OpenRecord[] | undefined {
  return complete(study.opens, values, (value) => readRecord(openRecord, value));
}

function complete<T>(
  count: number,
  values: Values,
  recordOf: (value: Values[number]) => T | undefined,
): readonly T[] | undefined {
  const records = values.slice(0, count).map(recordOf);
  const known = records.filter((record) => record !== undefined);
  return known.length === count ? known : undefined;
}

/**
 * True if the receipt is of a release to this institution: it stands on the basis, whose key is the institution's with
 * the tweak t_g. Only source, grantee and owner know t_g; whoever shows it proves the grantee to others.
 */
export function isReleaseTo(
  institution: Pick<Institution, 'account'>,
  tweak: Uint8Array,
  receipt: OpenRecord,
  basis: { readonly id: BasisId; readonly record: BasisRecord },
): boolean {
  return (
    equalBytes(receipt.basisId, idBytes(basis.id)) &&
    isGrantee(institution.account.spend, tweak, basis.record.granteeKey)
  );
}
