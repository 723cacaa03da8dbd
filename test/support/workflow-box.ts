/** A box's DICOM side over disks in memory: keeper, quarantine, storage commitment and procedure steps, on a real port. */
import { randomBytes } from 'node:crypto';
import { DicomServer, type DimseService, digestPixels } from '../../firmware/dimse/index.ts';
import { openWorkflow, type Workflow } from '../../firmware/src/box/workflow.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import type { Service } from '../../firmware/src/ports.ts';
import { EncryptedStore } from '../../firmware/src/store/level-store.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { Health } from '../../firmware/src/box/health.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { realClock } from '../fakes/real-clock.ts';
import { ampleDisk } from './ample-room.ts';
import { MemoryStore } from './memory-store.ts';
import { openPlainHeaderScanner } from './plain-header-scanner.ts';
import { RecordingLogger } from './recording-logger.ts';

export const workflowAeTitle = 'HILUM';

export class WorkflowBox {
  readonly logger = new RecordingLogger();
  readonly clock = realClock;
  readonly health = new Health(realClock, this.logger);
  readonly catalogue = new Catalogue(new MemoryObjectStore());
  readonly quarantine = new Quarantine({ ...this, store: new MemoryObjectStore() });
  readonly index = new EncryptedStore(new MemoryStore(), randomBytes(32));
  /** Where modalities are reached, by their AE titles. */
  readonly reachedAt = new Map<
    string,
    { readonly host: string; readonly port: number; readonly tls: boolean }
  >();
  /** Senders that are trusted with corrections. */
  readonly trusted = new Set<string>();
  readonly #services: Service[] = [];
  #server: DicomServer | undefined;
  workflow: Workflow | undefined;

  /**
   * @param relayPort where procedure steps are sent on, if they are.
   * @param furtherServices beside those of the workflow.
   */
  static async open(relayPort?: number, furtherServices: readonly DimseService[] = []): Promise<WorkflowBox> {
    const box = new WorkflowBox();
    const config = decodeConfig(
      {
        dataDir: '/nowhere',
        institution: { id: 'north', name: 'North' },
        ...(relayPort !== undefined && {
          procedureSteps: { host: '127.0.0.1', port: relayPort, aeTitle: workflowAeTitle },
        }),
      },
      '/',
    );
    const sources = { ...box, config, certificates: undefined };
    const workflow = await openWorkflow(sources, { reachedAt: (aeTitle) => box.reachedAt.get(aeTitle) });
    box.workflow = workflow;
    await workflow.start((service) => box.#start(service));
    const keeper = new Keeper({
      ...box,
      digestPixels,
      disk: ampleDisk,
      openHeaderScanner: openPlainHeaderScanner,
    });
    box.#server = new DicomServer({
      host: '127.0.0.1',
      port: 0,
      aeTitles: [workflowAeTitle],
      callingAeTitles: 'any',
      store: (request) => keeper.receive(request, () => box.trusted.has(request.callingAeTitle)),
      services: [...workflow.services, ...furtherServices],
      clock: realClock,
      logger: box.logger,
    });
    await box.#start(box.#server);
    return box;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get associations(): number {
    return this.#server?.associations ?? 0;
  }

  async stop(): Promise<void> {
    for (const service of this.#services.toReversed()) await service.stop();
  }

  async #start(service: Service): Promise<void> {
    this.#services.push(service);
    await service.start();
  }
}
