/**
 * Storage Commitment Push Model as SCP (PS3.4 annex J): the N-ACTION that asks, and the N-EVENT-REPORT that answers it
 * on an association of our own, on which we propose the SCP role.
 */
import { AppError } from '../src/errors.ts';
import type { AcceptCommitment, CommitmentAcceptance, CommitmentResult } from '../src/ports.ts';
import type { AssociationOptions } from './association-options.ts';
import { endingWell, openAssociation } from './association.ts';
import { commandField } from './command.ts';
import type { DataSet } from './data-set.ts';
import { itemsOf, sequence, text, textOf } from './data-set-access.ts';
import { referencedInstance, referencedSopSequenceTag, referenceTo } from './referenced-instances.ts';
import type { DimseService, ServiceOperation, ServiceResponse } from './service.ts';
import { status, statusText } from './status.ts';
import {
  implicitVrLittleEndian,
  isUid,
  storageCommitmentSopClass,
  storageCommitmentSopInstance,
} from './uids.ts';

/** Attributes of requests and results (PS3.3 C.14). */
export const commitmentTags = {
  transactionUid: '00081195',
  failedSopSequence: '00081198',
  failureReason: '00081197',
} as const;

/** Action Type ID of a request (PS3.4 table J.3-1). */
const requestCommitment = 1;

/** Event Type ID of a result (PS3.4 table J.3-2). */
export const commitmentEvent = { allCommitted: 1, failuresExist: 2 } as const;

/** Takes requests. They are on disk before they are answered 0x0000; results go out on another association. */
export function storageCommitmentService(accept: AcceptCommitment): DimseService {
  return {
    sopClasses: [storageCommitmentSopClass],
    requestorRole: 'scu',
    permission: 'commitment',
    perform: (operation) => take(operation, accept),
  };
}

async function take(
  { command, dataSet, peer }: ServiceOperation,
  accept: AcceptCommitment,
): Promise<ServiceResponse> {
  if (command.commandField !== commandField.actionRequest) return { status: status.unrecognizedOperation };
  if (command.requestedSopInstanceUid !== storageCommitmentSopInstance)
    return { status: status.noSuchSopInstance };
  if (command.actionTypeId !== requestCommitment) return { status: status.noSuchAction };
  const transactionUid = textOf(dataSet, commitmentTags.transactionUid);
  if (transactionUid === undefined || !isUid(transactionUid))
    return { status: status.invalidArgumentValue, comment: 'no valid Transaction UID' };
  const instances = itemsOf(dataSet, referencedSopSequenceTag).map(referencedInstance);
  if (instances.length === 0)
    return { status: status.invalidArgumentValue, comment: 'no Referenced SOP Sequence' };
  if (!instances.every((instance) => instance !== undefined))
    return { status: status.invalidArgumentValue, comment: 'a reference without its UIDs' };
  const { callingAeTitle, calledAeTitle } = peer;
  return responses[await accept({ transactionUid, callingAeTitle, calledAeTitle, instances })];
}

/**
 * A Transaction UID in use is refused here and not with a Failure Reason of its own (PS3.3 C.14.1.1, 0x0131): a result
 * carries that UID, and its requestor could not tell it from the one of the request that waits.
 */
const responses: Readonly<Record<CommitmentAcceptance, ServiceResponse>> = {
  accepted: { status: status.success },
  full: { status: status.resourceLimitation, comment: 'too many commitments wait' },
  'transaction in use': {
    status: status.processingFailure,
    comment: 'Transaction UID in use by another request',
  },
};

/** The Event Type ID and the Event Information of a result. */
export function commitmentReport({ transactionUid, committed, failed }: CommitmentResult): {
  readonly eventTypeId: number;
  readonly dataSet: DataSet;
} {
  return {
    eventTypeId: failed.length === 0 ? commitmentEvent.allCommitted : commitmentEvent.failuresExist,
    dataSet: {
      [commitmentTags.transactionUid]: text('UI', transactionUid),
      ...(committed.length > 0 && { [referencedSopSequenceTag]: sequence(committed.map(referenceTo)) }),
      ...(failed.length > 0 && {
        [commitmentTags.failedSopSequence]: sequence(
          failed.map((instance) => ({
            ...referenceTo(instance),
            [commitmentTags.failureReason]: text('US', String(instance.failureReason)),
          })),
        ),
      }),
    },
  };
}

/**
 * N-EVENT-REPORT on an association of our own, with the SCP role and in Implicit VR Little Endian, which every peer takes.
 * A peer that says nothing about roles is sent it too: many do, and take it.
 * @throws AppError COMMITMENT_UNDELIVERED with what the peer said; the signal's reason once it has fired.
 */
export async function reportCommitment(
  options: Omit<AssociationOptions, 'contexts'>,
  result: CommitmentResult,
): Promise<void> {
  const { eventTypeId, dataSet } = commitmentReport(result);
  try {
    const association = await openAssociation({
      ...options,
      contexts: [
        {
          abstractSyntax: storageCommitmentSopClass,
          transferSyntaxes: [implicitVrLittleEndian],
          roles: { scu: false, scp: true },
        },
      ],
    });
    const answer = await endingWell(association, () =>
      association.eventReport(storageCommitmentSopClass, storageCommitmentSopInstance, eventTypeId, dataSet),
    );
    if (answer.status === status.success) return;
    throw new AppError(
      'COMMITMENT_UNDELIVERED',
      `${options.calledAeTitle} answered the result with status ${statusText(answer.status)}`,
    );
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'DELIVERY_FAILED') throw cause;
    throw new AppError('COMMITMENT_UNDELIVERED', cause.message, { cause });
  }
}
