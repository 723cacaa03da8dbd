/** What destinations are told and asked beside what they are sent: Instance Availability, Storage Commitment. */
import {
  availabilityDataSet,
  commitmentAction,
  endingWell,
  openAssociation,
  takeReport,
  uids,
  type AssociationOptions,
} from '../../dimse/index.ts';
import type { WorkflowScu } from '../ports.ts';

/**
 * How long an association on which a commitment was asked for stays open: a PACS that looks its objects up at once
 * answers on it, all others on one of their own (PS3.4, J.3.3).
 */
const commitmentLingerMs = 3_000;

/** Action Type ID of a storage commitment request (PS3.4, table J.3-1). */
const requestCommitment = 1;

export function workflowScu(
  peer: Pick<AssociationOptions, 'host' | 'port' | 'callingAeTitle' | 'calledAeTitle' | 'clock' | 'tls'>,
): WorkflowScu {
  const open = (
    sopClassUid: string,
    signal: AbortSignal,
    eventReport?: NonNullable<AssociationOptions['eventReport']>,
  ) =>
    openAssociation({
      ...peer,
      contexts: [
        {
          abstractSyntax: sopClassUid,
          // Some peers answer N-EVENT-REPORT in Implicit VR only.
          transferSyntaxes: [uids.implicitVrLittleEndian],
        },
      ],
      signal,
      ...(eventReport !== undefined && { eventReport }),
    });
  return {
    notify: async (notification, signal) => {
      const association = await open(uids.availabilitySopClass, signal);
      const dataSet = availabilityDataSet(notification);
      const { status } = await endingWell(association, () =>
        association.create(uids.availabilitySopClass, undefined, dataSet),
      );
      return status;
    },
    askCommitment: async (request, take, signal) => {
      const answered = Promise.withResolvers<void>();
      const association = await open(uids.storageCommitmentSopClass, signal, async (report) => {
        const response = await takeReport(report.eventTypeId, report.dataSet, take);
        answered.resolve();
        return response;
      });
      return endingWell(association, async () => {
        const { status } = await association.action(
          uids.storageCommitmentSopClass,
          uids.storageCommitmentSopInstance,
          requestCommitment,
          commitmentAction(request),
        );
        if (status === 0)
          await Promise.race([answered.promise, peer.clock.sleep(commitmentLingerMs, signal)]);
        return status;
      });
    },
  };
}
