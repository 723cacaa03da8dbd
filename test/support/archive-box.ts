/** A box that workstations ask, over disks in memory: keeper and Query/Retrieve as composed, on a plain and a TLS port. */
import { DicomServer, digestPixels } from '../../firmware/dimse/index.ts';
import { openCertificates, serveTls } from '../../firmware/src/box/dicom-tls.ts';
import { Health } from '../../firmware/src/box/health.ts';
import { openQuery } from '../../firmware/src/box/query.ts';
import { Undo } from '../../firmware/src/box/undo.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import type { Service } from '../../firmware/src/ports.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { realClock } from '../fakes/real-clock.ts';
import { ampleDisk } from './ample-room.ts';
import { openPlainHeaderScanner } from './plain-header-scanner.ts';
import { RecordingLogger } from './recording-logger.ts';

export const archiveAeTitle = 'HILUM';

/** Where a C-MOVE may send. */
export interface MoveDestination {
  readonly name: string;
  readonly aeTitle: string;
  readonly port: number;
  readonly tls?: boolean;
}

export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly caFiles: readonly string[];
}

export class ArchiveBox {
  readonly #server: DicomServer;
  readonly #catalogue: Catalogue;
  readonly #undo: Undo;

  private constructor(server: DicomServer, catalogue: Catalogue, undo: Undo) {
    this.#server = server;
    this.#catalogue = catalogue;
    this.#undo = undo;
  }

  /** @param tls without them there is no TLS port. */
  static async open(destinations: readonly MoveDestination[], tls?: TlsFiles): Promise<ArchiveBox> {
    const undo = new Undo();
    const start = async (service: Service): Promise<void> => {
      await service.start();
      undo.later(() => service.stop());
    };
    const config = decodeConfig(
      {
        dataDir: '/nowhere',
        institution: { id: 'north', name: 'North' },
        // The port of the configuration is not the one that is opened.
        ...(tls !== undefined && { dicom: { tls: { port: 2762, ...tls } } }),
        destinations: destinations.map((destination) => ({ host: '127.0.0.1', ...destination })),
      },
      '/',
    );
    const logger = new RecordingLogger();
    const common = { clock: realClock, logger, health: new Health(realClock, logger) };
    const certificates = await openCertificates({ ...common, config }, undo);
    const catalogue = new Catalogue(new MemoryObjectStore());
    const services = await openQuery({ ...common, config, catalogue, certificates }, undefined, start);
    const keeper = new Keeper({
      ...common,
      catalogue,
      quarantine: new Quarantine({ ...common, store: new MemoryObjectStore() }),
      digestPixels,
      disk: ampleDisk,
      openHeaderScanner: openPlainHeaderScanner,
    });
    const server = new DicomServer({
      ...common,
      host: '127.0.0.1',
      port: 0,
      tlsPort: 0,
      aeTitles: [archiveAeTitle],
      callingAeTitles: 'any',
      store: (request) => keeper.receive(request),
      services,
    });
    await start(server);
    await serveTls(certificates, server, undo);
    return new ArchiveBox(server, catalogue, undo);
  }

  get port(): number {
    return this.#server.port;
  }

  /** @throws without certificates. */
  get tlsPort(): number {
    const port = this.#server.tlsPort;
    if (port === undefined) throw new Error('this box was opened without certificates');
    return port;
  }

  /** SOP Instance UIDs of what it keeps, in order. */
  held(): string[] {
    const objects = this.#catalogue.studies().flatMap((study) => study.objects);
    return objects.map(({ sopInstanceUid }) => sopInstanceUid).sort();
  }

  async stop(): Promise<void> {
    await this.#undo.run();
  }
}
