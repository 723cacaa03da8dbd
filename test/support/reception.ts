/** A keeper over disks in memory, as a modality sends to it. */
import type { DataSetHeader, OpenHeaderScanner, StoreRequest } from '../../firmware/src/ports.ts';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import type { RoomForObjects } from '../../firmware/src/ingest/object-room.ts';
import { Quarantine, type QuarantineLimits } from '../../firmware/src/ingest/quarantine.ts';
import type { StudyLimits } from '../../firmware/src/ingest/study-room.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ampleDisk } from './ample-room.ts';
import { ManualClock } from './manual-clock.ts';
import { digestPlainPixels, openPlainScanner } from './plain-data-set.ts';
import { RecordingLogger } from './recording-logger.ts';

export const header: DataSetHeader = {
  sopInstanceUid: '1.2.3.4',
  studyInstanceUid: '1.2',
  seriesInstanceUid: '1.2.3',
  patientId: 'N-1001',
  patientName: 'Canary^Winifred',
  modality: 'CT',
  studyDate: '20260105',
  studyDescription: 'Thorax',
};

export const request: StoreRequest = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3.4',
  transferSyntaxUid: '1.2.840.10008.1.2.1',
  callingAeTitle: 'CT_1',
  remoteAddress: '192.0.2.7',
};

export interface Sending {
  readonly as?: StoreRequest;
  readonly pieceBytes?: number;
  /** The access list trusts the sender with corrections. */
  readonly mayCorrect?: boolean;
}

export interface ReceptionLimits {
  readonly quarantine?: QuarantineLimits;
  readonly study?: StudyLimits;
}

export class Reception {
  readonly disk = new MemoryObjectDisk();
  readonly quarantineDisk = new MemoryObjectDisk();
  readonly logger = new RecordingLogger();
  readonly health = new MemoryHealthBoard();
  readonly clock = new ManualClock();
  /** Room on the disk for what the keeper writes by itself. */
  room: RoomForObjects = ampleDisk;
  readonly #limits: ReceptionLimits;
  /** The one that all associations share. */
  #keeper: Keeper | undefined;
  catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  quarantine: Quarantine;

  constructor(limits: ReceptionLimits = {}) {
    this.#limits = limits;
    this.quarantine = this.#openQuarantine();
  }

  /** The box after a power cut: what it had on disk, read again. */
  async restart(): Promise<void> {
    this.catalogue = new Catalogue(new MemoryObjectStore(this.disk));
    await this.catalogue.load(() => undefined);
    this.quarantine = this.#openQuarantine();
    await this.quarantine.load();
    this.#keeper = undefined;
  }

  async send(
    dataSet: Uint8Array,
    { as = request, pieceBytes = 65_536, mayCorrect = false }: Sending = {},
  ): Promise<number> {
    this.#keeper ??= this.keeper();
    const sink = this.#keeper.receive(as, () => mayCorrect);
    try {
      for (let at = 0; at < dataSet.length; at += pieceBytes)
        await sink.write(dataSet.subarray(at, at + pieceBytes));
    } catch (error) {
      await sink.abort(error as Error);
      throw error;
    }
    // A rejection ends the sink: nobody aborts it then.
    return (await sink.finish()).status;
  }

  keeper(openHeaderScanner: OpenHeaderScanner = openPlainScanner): Keeper {
    const { catalogue, quarantine, health, clock, logger, room } = this;
    const { study } = this.#limits;
    return new Keeper({
      catalogue,
      quarantine,
      disk: room,
      health,
      clock,
      logger,
      openHeaderScanner,
      digestPixels: digestPlainPixels,
      ...(study !== undefined && { studyLimits: study }),
    });
  }

  get studies(): readonly KeptStudy[] {
    return this.catalogue.studies();
  }

  /** Objects on the disk, listed or not. */
  get files(): number {
    return [...this.disk.studies.values()].reduce((sum, { objects }) => sum + objects.size, 0);
  }

  #openQuarantine(): Quarantine {
    const { clock, logger, health } = this;
    const { quarantine } = this.#limits;
    return new Quarantine({
      store: new MemoryObjectStore(this.quarantineDisk),
      clock,
      logger,
      health,
      ...(quarantine !== undefined && { limits: quarantine }),
    });
  }
}
