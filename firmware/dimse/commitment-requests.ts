/** Storage Commitment Push Model as SCU (PS3.4 annex J): what the N-ACTION asks, and the N-EVENT-REPORT that answers it. */
import type { CommitmentRequest, CommitmentResult } from '../src/ports.ts';
import { commandField } from './command.ts';
import type { DataSet } from './data-set.ts';
import { itemsOf, sequence, text, textOf } from './data-set-access.ts';
import { namedInstance, referencedSopSequenceTag, referenceTo } from './referenced-instances.ts';
import type { DimseService, ServiceResponse } from './service.ts';
import { status } from './status.ts';
import { commitmentEvent, commitmentTags } from './storage-commitment.ts';
import { storageCommitmentSopClass } from './uids.ts';

/** Failure Reason (0008,1197) where a result names none: processing failure (PS3.3 C.14.1.1). */
const processingFailure = 0x0110;

/** On disk when it resolves: the peer need not repeat it. */
export type TakeCommitmentResult = (result: CommitmentResult) => Promise<void>;

/** The Action Information of a request. */
export function commitmentAction({
  transactionUid,
  instances,
}: Pick<CommitmentRequest, 'transactionUid' | 'instances'>): DataSet {
  return {
    [commitmentTags.transactionUid]: text('UI', transactionUid),
    [referencedSopSequenceTag]: sequence(instances.map(referenceTo)),
  };
}

/** Takes results that come on associations of the peer's own, on which it proposes the SCP role. */
export function commitmentResultService(take: TakeCommitmentResult): DimseService {
  return {
    sopClasses: [storageCommitmentSopClass],
    requestorRole: 'scp',
    permission: 'commitment',
    perform: ({ command, dataSet }) =>
      command.commandField === commandField.eventReportRequest
        ? takeReport(command.eventTypeId, dataSet, take)
        : Promise.resolve({ status: status.unrecognizedOperation }),
  };
}

/** One N-EVENT-REPORT, on whichever association it came. */
export async function takeReport(
  eventTypeId: number | undefined,
  dataSet: DataSet | undefined,
  take: TakeCommitmentResult,
): Promise<ServiceResponse> {
  if (eventTypeId !== commitmentEvent.allCommitted && eventTypeId !== commitmentEvent.failuresExist)
    return { status: status.invalidArgumentValue, comment: 'no such event type' };
  const transactionUid = textOf(dataSet, commitmentTags.transactionUid);
  if (transactionUid === undefined)
    return { status: status.invalidArgumentValue, comment: 'no Transaction UID' };
  // What lacks its UID matches nothing that was asked for, and so is not committed.
  await take({
    transactionUid,
    committed: itemsOf(dataSet, referencedSopSequenceTag).map(namedInstance),
    failed: itemsOf(dataSet, commitmentTags.failedSopSequence).map((item) => ({
      ...namedInstance(item),
      failureReason: Number(textOf(item, commitmentTags.failureReason) ?? processingFailure),
    })),
  });
  return { status: status.success };
}
