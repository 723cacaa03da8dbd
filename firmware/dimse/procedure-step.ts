/** Modality Performed Procedure Step (PS3.4 F.7): N-CREATE and N-SET as SCP, and as SCU to send them on. */
import { randomUUID } from 'node:crypto';
import { AppError } from '../src/errors.ts';
import type { ProcedureStepAnswer, RelayProcedureStep, TakeProcedureStep } from '../src/ports.ts';
import type { AssociationOptions } from './association-options.ts';
import { EncodedDataSet, endingWell, openAssociation } from './association.ts';
import { commandField } from './command.ts';
import { type DataSet, decodeLongDataSet } from './data-set.ts';
import type { DimseService, ServiceOperation, ServiceResponse } from './service.ts';
import { status } from './status.ts';
import { implicitVrLittleEndian, isUid, procedureStepSopClass } from './uids.ts';

/** Error ID (0000,0903) of an N-SET to a step that ended (PS3.4 F.7.2.2.2.1). */
export const stepNoLongerUpdatable = 0xa710;

const responses: Readonly<Record<ProcedureStepAnswer, ServiceResponse>> = {
  done: { status: status.success },
  duplicate: { status: status.duplicateSopInstance },
  unknown: { status: status.noSuchSopInstance },
  ended: {
    status: status.processingFailure,
    errorId: stepNoLongerUpdatable,
    comment: 'Performed Procedure Step Object may no longer be updated',
  },
  'status missing': {
    status: status.missingAttribute,
    comment: 'Performed Procedure Step Status (0040,0252)',
  },
  'status invalid': {
    status: status.invalidAttributeValue,
    comment: 'Performed Procedure Step Status (0040,0252)',
  },
  full: { status: status.resourceLimitation },
};

/** Takes the steps of modalities. They are on disk before they are answered 0x0000. */
export function procedureStepService(take: TakeProcedureStep): DimseService {
  return {
    sopClasses: [procedureStepSopClass],
    requestorRole: 'scu',
    permission: 'procedure-step',
    perform: (operation) => perform(operation, take),
  };
}

async function perform(
  { command, dataSet, dataSetBytes, peer, transferSyntaxUid }: ServiceOperation,
  take: TakeProcedureStep,
): Promise<ServiceResponse> {
  const kind = kindOf(command.commandField);
  if (kind === undefined) return { status: status.unrecognizedOperation };
  const sopInstanceUid =
    kind === 'create'
      ? (command.affectedSopInstanceUid ?? newUid())
      : (command.requestedSopInstanceUid ?? '');
  if (!isUid(sopInstanceUid)) return { status: status.invalidSopInstance };
  if (dataSet === undefined || dataSetBytes === undefined)
    return { status: status.missingAttribute, comment: 'no data set' };
  const answer = await take({
    kind,
    callingAeTitle: peer.callingAeTitle,
    sopInstanceUid,
    transferSyntaxUid,
    dataSet,
    dataSetBytes,
  });
  return { ...responses[answer], affectedSopInstanceUid: sopInstanceUid };
}

function kindOf(field: number): 'create' | 'set' | undefined {
  if (field === commandField.createRequest) return 'create';
  return field === commandField.setRequest ? 'set' : undefined;
}

/** For a requestor that leaves the naming to the SCP (PS3.7 10.1.5.1.4): a UUID under 2.25 (PS3.5 B.2). */
function newUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
}

/**
 * Sends a message on to another SCP, such as the department system: byte for byte as the modality encoded it, where that
 * SCP takes the transfer syntax; else encoded again, content and order of the data set as they were.
 * @returns the status of the response. @throws AppError DELIVERY_FAILED with what the peer said.
 */
export async function relayProcedureStep(
  options: Omit<AssociationOptions, 'contexts'>,
  message: Parameters<RelayProcedureStep>[0],
): Promise<number> {
  const { kind, sopInstanceUid, transferSyntaxUid } = message;
  // A context for each, so that the peer's preference does not decide between them.
  const transferSyntaxes = [...new Set([transferSyntaxUid, implicitVrLittleEndian])];
  const association = await openAssociation({
    ...options,
    contexts: transferSyntaxes.map((uid) => ({
      abstractSyntax: procedureStepSopClass,
      transferSyntaxes: [uid],
    })),
  });
  const answer = await endingWell(association, async () => {
    const dataSet = await relayedDataSet(
      message,
      association.accepts(procedureStepSopClass, transferSyntaxUid),
    );
    return kind === 'create'
      ? association.create(procedureStepSopClass, sopInstanceUid, dataSet)
      : association.set(procedureStepSopClass, sopInstanceUid, dataSet);
  });
  return answer.status;
}

async function relayedDataSet(
  { dataSetBytes, transferSyntaxUid }: Parameters<RelayProcedureStep>[0],
  asItCame: boolean,
): Promise<DataSet | EncodedDataSet> {
  if (asItCame) return new EncodedDataSet(dataSetBytes, transferSyntaxUid);
  const decoded = await decodeLongDataSet(dataSetBytes, transferSyntaxUid);
  if (decoded.kind === 'malformed')
    throw new AppError('STORE_CORRUPT', 'A procedure step that was taken cannot be read any more.');
  return decoded.dataSet;
}
