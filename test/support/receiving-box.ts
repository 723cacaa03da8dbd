/** All of a box that lies between a modality's socket and the disk, without TPM, ledger and console. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  DicomServer,
  digestPixels,
  HeaderScans,
  type Admission,
  type StoreRequest,
  type StoreSink,
  type TlsCredentials,
} from '../../firmware/dimse/index.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { admitWithRoom } from '../../firmware/src/box/disk-admission.ts';
import { DiskSpace } from '../../firmware/src/box/disk-space.ts';
import type { ConfiguredMarks } from '../../firmware/src/ingest/disk-marks.ts';
import { DiskRoom } from '../../firmware/src/ingest/disk-room.ts';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import { openWithRoom } from '../../firmware/src/ingest/roomy-sink.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import type { OpenSegmentOf } from '../../firmware/src/store/segment-sealing.ts';
import { SpareLogMaker, type SpareLogMakerOptions } from '../../firmware/src/store/spare-log-maker.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { keptDataSet } from '../../firmware/src/studies/kept-data-set.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ampleDisk } from './ample-room.ts';
import { systemClock } from './manual-clock.ts';

export const receivingAeTitle = 'HILUM';

const quarantineName = 'quarantine';

export interface ReceivingOptions {
  readonly folder: string;
  readonly boxKey: Uint8Array;
  /** Without them nothing is refused but by the file system itself. */
  readonly marks?: ConfiguredMarks;
  readonly files?: FileSystem;
  /** Where objects are hashed and sealed; on the event loop if nobody says so. */
  readonly openSegment?: OpenSegmentOf;
  /** Made from `prepareSpares` on. */
  readonly spares?: Pick<SpareLogMakerOptions, 'count' | 'bytes' | 'stepBytes' | 'clock'>;
}

export class ReceivingBox {
  readonly #store: StudyStore;
  readonly #quarantineStore: StudyStore;
  readonly #quarantine: Quarantine;
  readonly #catalogue: Catalogue;
  readonly #disk: DiskSpace;
  readonly #headers = new HeaderScans({ clock: systemClock, logger: silentLogger });
  readonly #server: DicomServer;
  readonly #spareMaker: SpareLogMaker | undefined;
  #isListening = false;
  readonly keeper: Keeper;
  readonly health = new MemoryHealthBoard();

  private constructor({ folder, boxKey, marks, files, spares, openSegment }: ReceivingOptions) {
    const store = { boxKey, ...(files && { files }), ...(openSegment && { openSegment }) };
    this.#store = new StudyStore({ ...store, folder });
    this.#quarantineStore = new StudyStore({ ...store, folder: join(folder, quarantineName) });
    this.#catalogue = new Catalogue(this.#store);
    const common = { clock: systemClock, logger: silentLogger, health: this.health };
    this.#quarantine = new Quarantine({ ...common, store: this.#quarantineStore });
    this.#disk = new DiskSpace({ ...common, folder, marks: marks ?? {} });
    const room = marks && new DiskRoom(this.#disk, marks);
    this.#spareMaker =
      spares &&
      new SpareLogMaker({
        spares: this.#store.spares,
        hasRoom: () => Promise.resolve(true),
        logger: silentLogger,
        ...spares,
      });
    const admit = (): Admission => ({ may: new Set(['store']) });
    const receive = (request: StoreRequest): StoreSink => this.keeper.receive(request);
    this.keeper = new Keeper({
      ...common,
      catalogue: this.#catalogue,
      quarantine: this.#quarantine,
      disk: room ?? ampleDisk,
      openHeaderScanner: this.#headers.open,
      digestPixels,
    });
    this.#server = new DicomServer({
      ...common,
      host: '127.0.0.1',
      port: 0,
      tlsPort: 0,
      aeTitles: [receivingAeTitle],
      callingAeTitles: 'any',
      admit: room === undefined ? admit : admitWithRoom(room, admit),
      store: room === undefined ? receive : (request) => openWithRoom(room, () => receive(request)),
    });
  }

  /** Reads what the folder holds; takes no associations before `listen`. @throws AppError STORE_CORRUPT. */
  static async open(options: ReceivingOptions): Promise<ReceivingBox> {
    const box = new ReceivingBox(options);
    await box.#catalogue.load(() => undefined);
    await box.#quarantine.load();
    return box;
  }

  async prepareSpares(): Promise<void> {
    await this.#spareMaker?.start();
  }

  /** The port on which modalities reach it. */
  async listen(): Promise<number> {
    await this.#disk.start();
    await this.#server.start();
    this.#isListening = true;
    return this.#server.port;
  }

  /** Once it listens: the port on which they reach it over TLS. */
  async listenTls(credentials: TlsCredentials): Promise<number> {
    await this.#server.useTls(credentials);
    return this.#server.tlsPort ?? 0;
  }

  async close(): Promise<void> {
    if (this.#isListening) await this.#server.stop();
    await this.#headers.stop();
    await this.#spareMaker?.stop();
    await this.#disk.stop();
    await this.#quarantineStore.close();
    await this.#store.close();
  }

  /** What belongs in its folder, relative to it: key and log of each study, and a file for each large object. */
  paths(): string[] {
    const kept = this.#catalogue.studies().map(({ ref, objects }) => ({
      folder: ref,
      files: objects.filter(({ frame }) => frame === null).map(({ fileRef }) => fileRef),
    }));
    const setAside = this.#quarantine.list().map(({ id, stored }) => ({
      folder: join(quarantineName, id),
      files: stored.frame === null ? [stored.ref] : [],
    }));
    const paths = [...kept, ...setAside].flatMap(({ folder, files }) => [
      folder,
      ...['study.key', 'study.log', ...files].map((file) => join(folder, file)),
    ]);
    return [quarantineName, ...paths].sort();
  }

  /** SHA-256 of each data set in quarantine, as its record has it. */
  quarantined(): [sopInstanceUid: string, sha256: string][] {
    return this.#quarantine.list().map(({ identity, digest }) => [identity.sopInstanceUid, toHex(digest)]);
  }

  /** SHA-256 of each data set that is listed, read whole and verified. @throws AppError STORE_CORRUPT. */
  async objects(): Promise<[sopInstanceUid: string, sha256: string][]> {
    const found: [string, string][] = [];
    for (const study of this.#catalogue.studies()) {
      for (const object of study.objects) {
        const hash = createHash('sha256');
        for await (const piece of keptDataSet(study, object)) hash.update(piece);
        found.push([object.sopInstanceUid, hash.digest('hex')]);
      }
    }
    return found;
  }
}
