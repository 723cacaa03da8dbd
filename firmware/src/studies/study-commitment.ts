import { studyTop, StudyCommitment, type CommittedInstance } from '../protocol/commitments.ts';
import type { KeptStudy } from './kept-study.ts';
import type { ObjectKept } from './manifest.ts';

export function committedInstance(object: ObjectKept): CommittedInstance {
  return { key: object.instanceKey, length: object.length, leaves: object.leaves };
}

/** The commitment to the first `objects` objects of a study, in the order in which they were kept. */
export function commitmentTo(study: KeptStudy, objects: number): StudyCommitment {
  const commitment = new StudyCommitment(studyTop(study.created.salt));
  for (const object of study.objects.slice(0, objects)) commitment.add(committedInstance(object));
  return commitment;
}
