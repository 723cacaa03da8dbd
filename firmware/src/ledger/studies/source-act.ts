/** Acts of a source on the standing of its study: freeze, unfreeze, rescind, erase, and the two of a reassignment. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, institutionIdField, integerField } from '../fields.ts';
import { toStudyId } from '../ids.ts';
import { withFirstUse } from '../records-of-epoch.ts';
import type { RuleReason } from '../refusals.ts';
import { signingInstitution } from '../rule.ts';
import type { LedgerSnapshot } from '../state.ts';
import { stateKeys } from '../state-keys.ts';
import { counterMax, type TransactionType } from '../transaction-type.ts';
import type { BodyBase, Institution, StudyId } from '../types.ts';
import { namedStudy, readBodyWithLeaf, type StudyLeaf } from './leaf.ts';
import { studyRecord, type StudyRecord } from './study-record.ts';

export interface SourceActBody extends BodyBase {
  readonly source: string;
  readonly studyId: Uint8Array;
  /** Exactly one more than the study's last act; the first is 1. So none can be replayed after another undid it. */
  readonly actSeq: number;
  readonly leaf?: StudyLeaf;
}

export interface SourceAct {
  readonly source: Institution;
  readonly id: StudyId;
  readonly study: StudyRecord;
  readonly counted: LedgerSnapshot;
}

/** The fields of every act, read, and the map of those that this type has besides. @throws ShapeError */
export function readSourceAct<const Type extends string, Name extends string = never>(
  value: CborValue,
  type: Type,
  names: readonly Name[],
): {
  readonly map: Readonly<Record<Name, CborValue>>;
  readonly act: SourceActBody & { readonly type: Type };
} {
  const { map, base } = readBodyWithLeaf<Type, Name | 'source' | 'studyId' | 'actSeq'>(value, type, [
    'source',
    'studyId',
    'actSeq',
    ...names,
  ]);
  const act = {
    ...base,
    source: institutionIdField(map.source, 'source'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    actSeq: integerField(map.actSeq, 'actSeq', 1, counterMax),
  };
  return { map, act };
}

/**
 * Everything that an act of the source must hold, but for its signature and what is its own. `counted`: the state in which
 * the act's record stands in the source's account.
 */
export function sourceAct(state: LedgerSnapshot, body: SourceActBody, time: number): SourceAct | RuleReason {
  const source = signingInstitution(state, body.source, time);
  if (typeof source === 'string') return source;
  const id = toStudyId(body.studyId);
  const study = namedStudy(state, id, body.leaf);
  if (typeof study === 'string') return study;
  if (study.source !== body.source) return 'not-the-source';
  if (body.actSeq <= study.actSeq) return 'act-stale';
  if (body.actSeq > study.actSeq + 1) return 'act-gap';
  const counted = withFirstUse(state, source.id, id);
  return typeof counted === 'string' ? counted : { source, id, study, counted };
}

/** An act that holds nothing of its own and does no more than set the status. */
export function statusAct<Body extends SourceActBody & { readonly type: string }>(
  type: Body['type'],
  change: (study: StudyRecord) => Partial<StudyRecord> | RuleReason,
): TransactionType<SourceActBody & { readonly type: Body['type'] }> {
  return {
    read: (value) => readSourceAct(value, type, []).act,
    signers: () => 1,
    apply(state, body, context) {
      const act = sourceAct(state, body, context.time);
      if (typeof act === 'string') return act;
      const changed = change(act.study);
      if (typeof changed === 'string') return changed;
      if (!context.signedBy(act.source.keys.transaction)) return 'bad-signature';
      return act.counted.put(studyRecord, stateKeys.study(act.id), {
        ...act.study,
        ...changed,
        actSeq: body.actSeq,
      });
    },
  };
}
