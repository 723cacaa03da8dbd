/** Storage Commitment Push Model as SCU (PS3.4 annex J): what the N-ACTION asks, and the N-EVENT-REPORT that answers it. */
import type { CommitmentRequest, CommitmentResult, ReferencedInstance } from '../src/ports.ts';
import { commandField } from './command.ts';
import type { DataSet } from './data-set.ts';
import { itemsOf, sequence, text, textOf } from './data-set-access.ts';
import type { DimseService, ServiceResponse } from './service.ts';
import { status } from './status.ts';
import { commitmentEvent } from './storage-commitment.ts';
import { storageCommitmentSopClass } from './uids.ts';

const transactionUidTag = '00081195';
const referencedSopSequenceTag = '00081199';
const failedSopSequenceTag = '00081198';
const referencedSopClassUidTag = '00081150';
const referencedSopInstanceUidTag = '00081155';
const failureReasonTag = '00081197';

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
    [transactionUidTag]: text('UI', transactionUid),
    [referencedSopSequenceTag]: sequence(
      instances.map(({ sopClassUid, sopInstanceUid }) => ({
        [referencedSopClassUidTag]: text('UI', sopClassUid),
        [referencedSopInstanceUidTag]: text('UI', sopInstanceUid),
      })),
    ),
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
  const transactionUid = textOf(dataSet, transactionUidTag);
  if (transactionUid === undefined)
    return { status: status.invalidArgumentValue, comment: 'no Transaction UID' };
  await take({
    transactionUid,
    committed: itemsOf(dataSet, referencedSopSequenceTag).map(referencedInstance),
    failed: itemsOf(dataSet, failedSopSequenceTag).map((item) => ({
      ...referencedInstance(item),
      failureReason: Number(textOf(item, failureReasonTag) ?? processingFailure),
    })),
  });
  return { status: status.success };
}

/** What lacks a UID matches nothing that was asked for, and so is not committed. */
function referencedInstance(item: DataSet): ReferencedInstance {
  return {
    sopClassUid: textOf(item, referencedSopClassUidTag) ?? '',
    sopInstanceUid: textOf(item, referencedSopInstanceUidTag) ?? '',
  };
}
