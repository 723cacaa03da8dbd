/** How a hostile association begins: its request, and the command of an object. */
import { concatBytes } from '../../../firmware/src/encoding/bytes.ts';
import { commandField, encodeCommand } from '../../../firmware/dimse/command.ts';
import { pdvHeader } from '../../../firmware/dimse/message-writer.ts';
import {
  encodeAddressing,
  encodeAssociateRequest,
  type ProposedContext,
} from '../../../firmware/dimse/pdu.ts';
import {
  applicationContextName,
  explicitVrLittleEndian,
  storageCommitmentSopClass,
  verificationSopClass,
} from '../../../firmware/dimse/uids.ts';

export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
export const storageCommitment = storageCommitmentSopClass;
export const verification = verificationSopClass;

/** The context on which objects come. */
export const ctContext: ProposedContext = {
  id: 1,
  abstractSyntax: ctImageStorage,
  transferSyntaxes: [explicitVrLittleEndian],
};

export function associateRequestFor(
  calledAeTitle: string,
  callingAeTitle: string,
  contexts: readonly ProposedContext[] = [ctContext],
): Uint8Array {
  return encodeAssociateRequest({
    protocolVersion: 1,
    calledAeTitle,
    callingAeTitle,
    addressing: encodeAddressing(calledAeTitle, callingAeTitle),
    applicationContextName,
    contexts,
    userInformation: {
      pduBytesMax: 16_384,
      implementationClassUid: '1.2.3.4',
      roles: [],
      extendedNegotiation: [],
    },
  });
}

export const instanceUid = (number: number): string => `1.2.826.0.1.3680043.2.1.${number}`;

export function storeCommand(messageId: number, affectedSopInstanceUid = instanceUid(messageId)): Uint8Array {
  const command = encodeCommand({
    commandField: commandField.storeRequest,
    hasDataSet: true,
    messageId,
    priority: 0,
    affectedSopClassUid: ctImageStorage,
    affectedSopInstanceUid,
  });
  return concatBytes(pdvHeader(1, true, true, command.length), command);
}
