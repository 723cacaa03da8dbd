/** What a storage commitment says of each object: pure, from what the box holds (PS3.4 J.3.3). */
import type { CommitmentRequest, CommitmentResult, ReferencedInstance } from '../ports.ts';

/** Failure Reason (0008,1197), PS3.3 C.14.1.1. */
export const failureReason = {
  /** No such object instance: it is not held. */
  noSuchInstance: 0x0112,
  /** Class/instance conflict: it is held as an object of another SOP class. */
  classInstanceConflict: 0x0119,
} as const;

/** `sopClassOf` gives the SOP class of a held object; nothing for one that is not held, or quarantined. */
export function commitmentResult(
  { transactionUid, instances }: Pick<CommitmentRequest, 'transactionUid' | 'instances'>,
  sopClassOf: (sopInstanceUid: string) => string | undefined,
): CommitmentResult {
  const committed: ReferencedInstance[] = [];
  const failed: CommitmentResult['failed'][number][] = [];
  for (const instance of instances) {
    const sopClassUid = sopClassOf(instance.sopInstanceUid);
    if (sopClassUid === instance.sopClassUid) committed.push(instance);
    else {
      const { noSuchInstance, classInstanceConflict } = failureReason;
      failed.push({
        ...instance,
        failureReason: sopClassUid === undefined ? noSuchInstance : classInstanceConflict,
      });
    }
  }
  return { transactionUid, committed, failed };
}
