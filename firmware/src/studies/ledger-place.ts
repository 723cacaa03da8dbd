/** Where a kept study stands on the ledger: its id, what proves it before its first use, its record. */
import { encodeEntry, studyId } from '../ledger/index.ts';
import type { ChainId, LedgerState, StudyId, StudyLeaf, StudyRecord } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';
import { noteHash } from '../protocol/notes.ts';
import type { KeptStudy } from './kept-study.ts';
import type { OwnerDerived } from './manifest.ts';

/** i: the study's index in the batch of its registration; 0 where it was registered by itself. */
export function batchIndexOf({ bulk }: OwnerDerived): number {
  return bulk?.index ?? 0;
}

/** The ledger's id of a kept study, from its manifest. */
export function studyIdOf(study: KeptStudy, chain: ChainId, institution: InstitutionId): StudyId | undefined {
  const { origin } = study.created;
  if (origin.kind === 'fetched') return origin.studyId;
  const { owner } = study;
  return owner && studyId(chain, institution, owner.batch, batchIndexOf(owner));
}

/** What opens the study up on the ledger, if it was registered in bulk. */
export function leafOf(study: KeptStudy, institution: InstitutionId): StudyLeaf | undefined {
  const { owner } = study;
  const first = study.plan(1, () => true);
  if (owner?.bulk === undefined || first === undefined) return undefined;
  const { commitment, note } = first;
  return {
    source: institution,
    batch: owner.batch,
    index: owner.bulk.index,
    entry: encodeEntry({ commitment, ownerKey: owner.ownerKey, tag: owner.tag, noteHash: noteHash(note) }),
    path: owner.bulk.path,
  };
}

/** The record of a study of this institution's own, or the one that its leaf proves. */
export function ownRecordOf(
  state: LedgerState,
  study: KeptStudy,
  institution: InstitutionId,
): StudyRecord | undefined {
  if (study.studyId === undefined) return undefined;
  const leaf = leafOf(study, institution);
  return leaf === undefined ? state.study(study.studyId) : state.studyOf(leaf);
}
