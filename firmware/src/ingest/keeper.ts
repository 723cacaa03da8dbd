/**
 * Keeps what modalities send. An object is answered 0x0000 only when it and its record are on disk (fsync); anything else
 * is answered with a failure, and the modality keeps its copy. What has no place in a study goes into quarantine.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';
import type {
  Clock,
  DataSetHeader,
  DigestPixels,
  HealthBoard,
  Logger,
  OpenHeaderScanner,
  StoreRequest,
  StoreSink,
} from '../ports.ts';
import { instanceKey, saltBytes } from '../protocol/commitments.ts';
import { isInstanceUid } from '../protocol/instance-prefix.ts';
import { studyBytesMax, studyInstancesMax } from '../protocol/limits.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import { keptDataSet } from '../studies/kept-data-set.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { StudyDescribed, StudyOrigin } from '../studies/manifest.ts';
import {
  ObjectReception,
  type Collided,
  type CollisionOutcome,
  type Place,
  type Received,
} from '../studies/object-reception.ts';
import { patientOf } from '../studies/patient-identity.ts';
import { Arrival, Finding } from './arrival.ts';
import { HeaderRoom } from './header-room.ts';
import { judgeCollision } from './keeping-policy.ts';
import { correctionsMsMax, headersGatheredBytesMax } from './limits.ts';
import { writeWithRoom, type HeldRoom, type RoomForObjects } from './object-room.ts';
import type { Quarantine, QuarantineEntry } from './quarantine.ts';
import type { Quarantined, QuarantineReason } from './quarantined.ts';
import { FullStudies, SharedStudies } from './study-alarms.ts';
import { StudyRooms, type StudyLimits, type StudyRoom } from './study-room.ts';

export interface KeeperOptions {
  readonly catalogue: Catalogue;
  readonly quarantine: Quarantine;
  /** For what the keeper writes by itself; what a sender writes takes its room from whoever opened the sink. */
  readonly disk: RoomForObjects;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly digestPixels: DigestPixels;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  readonly studyLimits?: StudyLimits;
}

type Sender = Pick<StoreRequest, 'callingAeTitle' | 'remoteAddress'>;

/** By whom, and of which study once that is known. */
interface Sent {
  readonly callingAeTitle: string;
  study?: KeptStudy;
}

const storeSubject = 'reception';

/** A new version of the newest object of its UID. */
const correctsNewest = (earlier: Collided['earlier']): CollisionOutcome => ({
  kind: 'keep',
  corrects: earlier.at(-1)?.number ?? null,
});

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #rooms: StudyRooms;
  readonly #shared: SharedStudies;
  readonly #full: FullStudies;
  readonly #headerRoom = new HeaderRoom(headersGatheredBytesMax);

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#shared = new SharedStudies(options);
    this.#full = new FullStudies(options.health);
    this.#rooms = new StudyRooms(options.studyLimits ?? { studyInstancesMax, studyBytesMax });
  }

  /** One sink for one C-STORE. `mayCorrect` is asked only where what is sent differs from what is held. */
  receive(request: StoreRequest, mayCorrect: () => boolean = () => false): StoreSink {
    const { quarantine, logger, clock } = this.#options;
    const finding = new Finding();
    let room: StudyRoom | undefined;
    const sent: Sent = { callingAeTitle: request.callingAeTitle };
    const describe = (reason: QuarantineReason, detail: string, header: DataSetHeader): Quarantined =>
      this.#describeQuarantined(request, reason, detail, header, clock.now());
    const reception = this.#reception({
      identity: request,
      callingAeTitle: request.callingAeTitle,
      gathering: this.#headerRoom.enter(),
      place: async (header) => {
        finding.header = header;
        const study = await this.#studyFor(request, header, request.sopInstanceUid, finding);
        sent.study = study;
        room = this.#rooms.enter(study);
        return this.#placeIn(study);
      },
      onBytes: (bytes) => room?.take(bytes),
      collide: (collided) =>
        this.#collide(collided, mayCorrect, (reason) => describe(reason, '', finding.header)),
    });
    const arrival = new Arrival({
      reception,
      finding,
      quarantine,
      describe,
      received: (received) => this.#received(received, request),
    });
    return {
      write: (chunk) => arrival.write(chunk),
      finish: async () => {
        try {
          return await this.#telling(arrival.finish(), sent);
        } finally {
          room?.leave();
        }
      },
      abort: async (reason) => {
        room?.leave();
        await arrival.abort();
        this.#tell(reason, sent);
        logger.warn(
          { reason: reason instanceof AppError ? reason.code : reason.name },
          'object not received',
        );
      },
    };
  }

  /**
   * Keeps what an administrator released from quarantine: as a new version where its UID is held, else as a further object.
   * @throws AppError STORE_FAILED, STUDY_FULL, DISK_LOW: then nothing of it is left in the study.
   */
  readmit(entry: QuarantineEntry, dataSet: AsyncIterable<Uint8Array>): Promise<void> {
    return writeWithRoom(this.#options.disk, (room) => this.#readmit(entry, dataSet, room));
  }

  async #readmit(
    entry: QuarantineEntry,
    dataSet: AsyncIterable<Uint8Array>,
    disk: Pick<HeldRoom, 'take'>,
  ): Promise<void> {
    // The data set says what it is; a request that announced another UID was wrong.
    const sopInstanceUid = entry.header.sopInstanceUid ?? entry.identity.sopInstanceUid;
    let room: StudyRoom | undefined;
    const sent: Sent = { callingAeTitle: entry.callingAeTitle };
    const reception = this.#reception({
      identity: { ...entry.identity, sopInstanceUid },
      callingAeTitle: entry.callingAeTitle,
      place: async (header) => {
        const described = this.#describeStudy(entry, header, sopInstanceUid);
        const study = await this.#obtain(described, this.#options.catalogue.find(described));
        sent.study = study;
        room = this.#rooms.enter(study);
        return this.#placeIn(study);
      },
      onBytes: (bytes) => room?.take(bytes),
      collide: ({ earlier }) => Promise.resolve(correctsNewest(earlier)),
    });
    try {
      for await (const chunk of dataSet) {
        await disk.take(chunk.length);
        await reception.write(chunk);
      }
      this.#received(await this.#telling(reception.finish(), sent), entry);
    } catch (error) {
      await reception.abort();
      throw error;
    } finally {
      room?.leave();
    }
  }

  #reception(
    options: Omit<ConstructorParameters<typeof ObjectReception>[0], 'openHeaderScanner' | 'clock'>,
  ): ObjectReception {
    const { openHeaderScanner, clock } = this.#options;
    return new ObjectReception({ ...options, openHeaderScanner, clock });
  }

  #received({ study, outcome }: Received, { callingAeTitle }: Pick<Sender, 'callingAeTitle'>): void {
    const { catalogue, logger } = this.#options;
    this.#full.taken(callingAeTitle, study);
    if (outcome === 'corrected') logger.info({ study: study.ref }, 'a new version of an object was kept');
    if (outcome === 'kept' || outcome === 'corrected') catalogue.changed(study);
  }

  /** Off the hot path: only what differs from what is held under its UID is read again, twice. */
  async #collide(
    { study, earlier, identity, dataSet }: Collided,
    mayCorrect: () => boolean,
    describe: (reason: QuarantineReason) => Quarantined,
  ): Promise<CollisionOutcome> {
    const { digestPixels, disk, clock } = this.#options;
    const held = earlier.at(-1);
    if (held === undefined) return { kind: 'keep', corrects: null };
    const verdict = judgeCollision({
      transferSyntaxUid: { held: held.transferSyntaxUid, came: identity.transferSyntaxUid },
      sopClassUid: { held: held.sopClassUid, came: identity.sopClassUid },
      pixels: {
        held: await digestPixels(keptDataSet(study, held), held.transferSyntaxUid),
        came: await digestPixels(dataSet(), identity.transferSyntaxUid),
      },
      senderMayCorrect: mayCorrect(),
      recentCorrections: earlier.filter(
        ({ corrects, at }) => corrects !== null && clock.now() - at < correctionsMsMax,
      ).length,
    });
    if (verdict.kind === 'correction') return correctsNewest(earlier);
    // For a while it is on the disk twice: as it came, and as it is set aside.
    await writeWithRoom(disk, (room) => this.#setAside(dataSet(), describe(verdict.reason), room));
    return { kind: 'set aside' };
  }

  async #setAside(
    dataSet: AsyncIterable<Uint8Array>,
    described: Quarantined,
    disk: Pick<HeldRoom, 'take'>,
  ): Promise<void> {
    const intake = await this.#options.quarantine.begin();
    try {
      for await (const chunk of dataSet) {
        await disk.take(chunk.length);
        await intake.write(chunk);
      }
      await intake.finish(described);
    } catch (error) {
      await intake.abort();
      throw error;
    }
  }

  /** A disk that takes no more is seen in the console, not only by the modality; what it takes again clears it. */
  async #telling<Result>(kept: Promise<Result>, sent: Sent): Promise<Result> {
    try {
      const result = await kept;
      this.#options.health.clear('STORE_FAILED', storeSubject);
      return result;
    } catch (error) {
      this.#tell(error, sent);
      throw error;
    }
  }

  #tell(error: unknown, { callingAeTitle, study }: Sent): void {
    if (!(error instanceof AppError)) return;
    if (error.code === 'STORE_FAILED') this.#options.health.raise(error.code, storeSubject, error.message);
    if (error.code === 'STUDY_FULL' && study !== undefined) this.#full.refused(callingAeTitle, study, error);
  }

  /** @throws AppError OBJECT_MISMATCH, with the reason in `finding`, for what has no place in a study. */
  async #studyFor(
    sender: Sender,
    header: DataSetHeader,
    sopInstanceUid: string,
    finding: Finding,
  ): Promise<KeptStudy> {
    const uids = [header.studyInstanceUid ?? '', header.seriesInstanceUid ?? '', header.sopInstanceUid ?? ''];
    if (!uids.every(isInstanceUid)) {
      finding.reason = 'without UIDs';
      throw new AppError('OBJECT_MISMATCH', 'An object lacks a valid study, series or SOP instance UID.');
    }
    if (header.sopInstanceUid !== sopInstanceUid) {
      finding.reason = 'other UID than requested';
      throw new AppError(
        'OBJECT_MISMATCH',
        'The SOP instance UID of a data set is not that of its C-STORE request.',
      );
    }
    const described = this.#describeStudy(sender, header, sopInstanceUid);
    const study = this.#options.catalogue.find(described);
    if (this.#isHeldElsewhere(described, study, sopInstanceUid)) {
      finding.reason = 'in another study';
      throw new AppError('OBJECT_MISMATCH', 'An object is held under the same UID in another study.');
    }
    return this.#obtain(described, study);
  }

  #isHeldElsewhere(
    { origin }: StudyDescribed,
    study: KeptStudy | undefined,
    sopInstanceUid: string,
  ): boolean {
    const isHeldHere = study !== undefined && study.instances(sopInstanceUid).length > 0;
    return !isHeldHere && this.#options.catalogue.holderOf(sopInstanceUid, origin.kind) !== undefined;
  }

  /** The study that was found, or else a new one. */
  async #obtain(described: StudyDescribed, found: KeptStudy | undefined): Promise<KeptStudy> {
    const { catalogue } = this.#options;
    const study = found ?? (await catalogue.obtain({ ...described, salt: randomBytes(saltBytes) }));
    this.#shared.heed(study, catalogue.underUidOf(study));
    return study;
  }

  #placeIn(study: KeptStudy): Place {
    return { study, instanceKeyOf: (number) => instanceKey(study.created.salt, number) };
  }

  #describeStudy(
    { callingAeTitle }: Pick<Sender, 'callingAeTitle'>,
    header: DataSetHeader,
    sopInstanceUid: string,
  ): StudyDescribed {
    const { clock } = this.#options;
    return {
      is: 'study',
      studyInstanceUid: header.studyInstanceUid ?? '',
      origin: this.#originOf(header.studyInstanceUid ?? '', sopInstanceUid),
      callingAeTitle,
      patient: patientOf(header),
      date: header.studyDate ?? '',
      description: header.studyDescription ?? '',
      at: clock.now(),
    };
  }

  /** What belongs to a study that is known by reference joins it, whoever sends it: there is one study. */
  #originOf(studyInstanceUid: string, sopInstanceUid: string): StudyOrigin {
    const { catalogue } = this.#options;
    if (catalogue.wasFetched(sopInstanceUid)) return { kind: 'returned' };
    const referenced = catalogue
      .studiesUnder(studyInstanceUid)
      .find(({ created }) => created.origin.kind === 'referenced');
    return referenced?.created.origin ?? { kind: 'modality' };
  }

  #describeQuarantined(
    request: StoreRequest,
    reason: QuarantineReason,
    detail: string,
    header: DataSetHeader,
    at: number,
  ): Quarantined {
    const { callingAeTitle, remoteAddress, transferSyntaxUid, sopClassUid, sopInstanceUid } = request;
    return {
      is: 'quarantined',
      reason,
      detail,
      callingAeTitle,
      remoteAddress,
      identity: { transferSyntaxUid, sopClassUid, sopInstanceUid },
      header,
      at,
    };
  }
}
