/** DICOM over TLS, composed: the port beside the plain one, and the associations that the box opens itself. */
import type { AssociationOptions, DicomServer, TlsDestination } from '../../dimse/index.ts';
import type { ReachedAt } from '../access/caller.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { DicomTlsView } from '../http/dicom-contract.ts';
import type { Clock, HealthBoard, Logger } from '../ports.ts';
import { DicomCertificates } from './dicom-certificates.ts';
import type { Undo } from './undo.ts';

export interface CertificateModules {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

/** The certificates of the configuration, kept up to date from now on; undefined without `dicom.tls`. */
export async function openCertificates(
  { config, clock, logger, health }: CertificateModules,
  undo: Undo,
): Promise<DicomCertificates | undefined> {
  const { tls } = config.dicom;
  if (tls === undefined) return undefined;
  const room = logger.child({ room: 'dimse' });
  const certificates = new DicomCertificates({ files: tls, clock, logger: room, health });
  undo.later(() => certificates.stop());
  await certificates.start();
  return certificates;
}

/** Opens the TLS port, at once or when there is a good set. The server has started. @throws AppError PORT_IN_USE. */
export async function serveTls(
  certificates: DicomCertificates | undefined,
  server: DicomServer,
  undo: Undo,
): Promise<void> {
  if (certificates === undefined) return;
  // A server that has stopped takes no more certificates.
  undo.later(() => certificates.serve(undefined));
  await certificates.serve((set) => server.useTls(set));
}

/**
 * For one association that the box opens, with the certificates as they are then.
 * @throws AppError CONFIG_INVALID without `dicom.tls`; DELIVERY_FAILED while there is no good set.
 */
export function tlsDestination(
  certificates: DicomCertificates | undefined,
  checkName: boolean,
): TlsDestination {
  if (certificates === undefined)
    throw new AppError('CONFIG_INVALID', 'Configuration: TLS is asked for without dicom.tls.');
  if (certificates.inUse === undefined)
    throw new AppError('DELIVERY_FAILED', 'This box has no valid certificate to show over TLS.');
  return { credentials: certificates.inUse.set, checkName };
}

/**
 * Where a caller is called back. Certificates of modalities seldom name their address, and what they are sent are UIDs
 * that they sent themselves: a certificate of the authorities is enough. @throws AppError as `tlsDestination`.
 */
export function callBackOf(
  { host, port, tls }: ReachedAt,
  certificates: DicomCertificates | undefined,
): Pick<AssociationOptions, 'host' | 'port' | 'tls'> {
  return { host, port, ...(tls && { tls: tlsDestination(certificates, false) }) };
}

/** What the console shows of it; null without TLS, or while there is no good set. */
export function dicomTlsView(
  { dicom }: Config,
  certificates: DicomCertificates | undefined,
): DicomTlsView | null {
  const inUse = certificates?.inUse;
  if (dicom.tls === undefined || inUse === undefined) return null;
  const { subject, validUntil } = inUse.set;
  return { port: dicom.tls.port, subject, validUntil, since: inUse.since };
}
