/**
 * Keeps what modalities send. An object is answered 0x0000 only when its file, its folder and its manifest record are
 * on disk (fsync); anything else is answered with a failure, and the modality keeps its copy.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';
import type {
  Clock,
  DataSetHeader,
  HealthBoard,
  Logger,
  OpenHeaderScanner,
  StoreRequest,
  StoreSink,
} from '../ports.ts';
import { instanceKey } from '../protocol/commitments.ts';
import { isInstanceUid } from '../protocol/instance-prefix.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { StudyCreated } from '../studies/manifest.ts';
import { patientOf } from '../studies/patient-identity.ts';
import { ObjectReception, type Place } from '../studies/object-reception.ts';

export interface KeeperOptions {
  readonly catalogue: Catalogue;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

const storeSubject = 'reception';

export class Keeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** One sink for one C-STORE. */
  receive(request: StoreRequest): StoreSink {
    const { catalogue, openHeaderScanner, clock, logger } = this.#options;
    const reception = new ObjectReception({
      identity: request,
      place: (header) => this.#place(request, header),
      openHeaderScanner,
      clock,
    });
    return {
      write: (chunk) => reception.write(chunk),
      finish: async () => {
        const { study, outcome } = await this.#telling(reception.finish());
        if (outcome === 'kept beside others of its UID') {
          logger.warn({ study: study.ref }, 'object with a known UID and other bytes, both kept');
        }
        if (outcome !== 'repeated') catalogue.changed(study);
        return { status: 0x0000 };
      },
      abort: async (reason) => {
        await reception.abort();
        this.#tell(reason);
        logger.warn(
          { reason: reason instanceof AppError ? reason.code : reason.name },
          'object not received',
        );
      },
    };
  }

  /** A disk that takes no more is seen in the console, not only by the modality; what it takes again clears it. */
  async #telling<Result>(kept: Promise<Result>): Promise<Result> {
    try {
      const result = await kept;
      this.#options.health.clear('STORE_FAILED', storeSubject);
      return result;
    } catch (error) {
      this.#tell(error);
      throw error;
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof AppError) || error.code !== 'STORE_FAILED') return;
    this.#options.health.raise('STORE_FAILED', storeSubject, error.message);
  }

  async #place(request: StoreRequest, header: DataSetHeader): Promise<Place> {
    const { catalogue, health, logger } = this.#options;
    const study = await catalogue.obtain(this.#describe(request, header));
    if (catalogue.isShared(study)) {
      logger.warn({ study: study.ref }, 'objects of more than one patient under one study UID, kept apart');
      health.raise(
        'STUDY_SHARED',
        `study ${study.ref}`,
        'Objects of more than one patient came under one Study Instance UID; each patient has a study of its own.',
      );
    }
    return { study, instanceKeyOf: (number) => instanceKey(study.created.salt, number) };
  }

  #describe(request: StoreRequest, header: DataSetHeader): StudyCreated {
    const { studyInstanceUid = '', seriesInstanceUid = '', sopInstanceUid = '' } = header;
    if (![studyInstanceUid, seriesInstanceUid, sopInstanceUid].every(isInstanceUid)) {
      throw new AppError('OBJECT_MISMATCH', 'An object lacks a valid study, series or SOP instance UID.');
    }
    if (sopInstanceUid !== request.sopInstanceUid) {
      throw new AppError(
        'OBJECT_MISMATCH',
        'The SOP instance UID of a data set is not that of its C-STORE request.',
      );
    }
    const { catalogue, clock } = this.#options;
    return {
      is: 'study',
      studyInstanceUid,
      salt: randomBytes(32),
      origin: catalogue.wasFetched(sopInstanceUid) ? { kind: 'returned' } : { kind: 'modality' },
      callingAeTitle: request.callingAeTitle,
      patient: patientOf(header),
      date: header.studyDate ?? '',
      description: header.studyDescription ?? '',
      at: clock.now(),
    };
  }
}
