/** The DICOM room: what the rest of the box may use of it. */
export {
  StorageScp,
  type Admission,
  type AdmissionRequest,
  type StorageScpLimits,
  type StorageScpOptions,
} from './storage-scp.ts';
export type { StoreOutcome, StoreRequest, StoreSink } from './store-operation.ts';
export { HeaderScanner, scanHeader, type HeaderElements, type ScanResult } from './header-scanner.ts';
export { isStored, status, statusText } from './status.ts';
export * as uids from './uids.ts';
