import { studyTop, StudyCommitment, type CommittedInstance } from '../protocol/commitments.ts';
import type { KeptStudy } from './kept-study.ts';
import type { ObjectKept } from './manifest.ts';

export function committedInstance(object: ObjectKept): CommittedInstance {
  return { key: object.instanceKey, length: object.length, leaves: object.leaves };
}

/** The commitment to a study as it stood when it had so many objects: to the newest version of each, in their order. */
export function commitmentTo(study: KeptStudy, objects: number): StudyCommitment {
  const commitment = new StudyCommitment(studyTop(study.created.salt));
  for (const object of study.newestOf(objects)) commitment.add(committedInstance(object));
  return commitment;
}
