import { studyTop, StudyCommitment, type CommittedInstance } from '../protocol/commitments.ts';
import type { KeptStudy } from './kept-study.ts';
import type { ObjectKept, StudyReferenced } from './manifest.ts';

export function committedInstance(of: ObjectKept | StudyReferenced): CommittedInstance {
  return { key: of.instanceKey, length: of.length, leaves: of.leaves };
}

/** How many objects a commitment to the study as it is now covers: none while it is known by reference only. */
export function objectsToCommit(study: KeptStudy): number {
  return study.isByReference ? 0 : study.objects.length;
}

/**
 * The commitment to a study as it stood when it had so many objects: to the newest version of each, in their order.
 * Without any, to the reference by which the study is known.
 */
export function commitmentTo(study: KeptStudy, objects: number): StudyCommitment {
  const commitment = new StudyCommitment(studyTop(study.created.salt));
  if (objects === 0 && study.reference !== undefined) commitment.add(committedInstance(study.reference));
  for (const object of study.newestOf(objects)) commitment.add(committedInstance(object));
  return commitment;
}
