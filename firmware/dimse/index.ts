/** The DICOM room: what the rest of the box may use of it. */
export {
  DicomServer,
  type Admission,
  type AdmissionRequest,
  type DicomServerLimits,
  type DicomServerOptions,
} from './dicom-server.ts';
export {
  OperationCancelled,
  type DimseService,
  type Peer,
  type PeerCertificate,
  type ServiceOperation,
  type ServiceResponse,
  type SubOperations,
} from './service.ts';
export type { StoreOutcome, StoreSink } from '../src/ports.ts';
export type { StoreRequest } from './store-operation.ts';
export {
  endingWell,
  openAssociation,
  type Association,
  type RetrieveProgress,
  type ServiceAnswer,
  type StoredObject,
} from './association.ts';
export type {
  AssociationLimits,
  AssociationOptions,
  EventReport,
  ProposedService,
} from './association-options.ts';
export type { AcceptedContext } from './requestor-link.ts';
export { HeaderScanner, scanHeader, type HeaderElements, type ScanResult } from './header-scanner.ts';
export { HeaderScans, type HeaderScansOptions, type LoopWork } from './header-scans.ts';
export { availabilityDataSet } from './availability-data-set.ts';
export { archiveScu, type ArchivePeer } from './archive-scu.ts';
export { availabilityService } from './availability-notification.ts';
export {
  commitmentAction,
  commitmentResultService,
  takeReport,
  type TakeCommitmentResult,
} from './commitment-requests.ts';
export { reportCommitment, storageCommitmentService } from './storage-commitment.ts';
export { procedureStepService, relayProcedureStep } from './procedure-step.ts';
export { QueryRetrieveScp, type QueryRetrieveOptions } from './query-retrieve.ts';
export { digestPixels } from './pixel-digest.ts';
export { replaceElements, type Replacement } from './replace-elements.ts';
export { reject } from './pdu.ts';
export { part10Header, readPart10Header, type FileMeta, type Part10Header } from './part10.ts';
export { isStored, status, statusText } from './status.ts';
export { contextOptions, type TlsCredentials, type TlsDestination } from './tls-profile.ts';
export { isAeTitle } from './text.ts';
export { decodeDataSet, type DecodedDataSet, encodeDataSet } from './data-set.ts';
export * as limits from './limits.ts';
export * as uids from './uids.ts';
