/**
 * Keeps what modalities send. An object is answered 0x0000 only when its file, its folder and its manifest record are
 * on disk (fsync); anything else is answered with a failure, and the modality keeps its copy.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';
import type { Clock, DataSetHeader, Logger, OpenHeaderScanner, StoreRequest, StoreSink } from '../ports.ts';
import { instanceKey } from '../protocol/commitments.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { StudyCreated } from '../studies/manifest.ts';
import { patientOf } from '../studies/patient-identity.ts';
import { ObjectReception, type Place } from '../studies/object-reception.ts';

export interface KeeperOptions {
  readonly catalogue: Catalogue;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly clock: Clock;
  readonly logger: Logger;
}

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
        const { study, outcome } = await reception.finish();
        if (outcome === 'kept beside others of its UID') {
          logger.warn({ study: study.ref }, 'object with a known UID and other bytes, both kept');
        }
        if (outcome !== 'repeated') catalogue.changed(study);
        return { status: 0x0000 };
      },
      abort: async (reason) => {
        await reception.abort();
        logger.warn(
          { reason: reason instanceof AppError ? reason.code : reason.name },
          'object not received',
        );
      },
    };
  }

  async #place(request: StoreRequest, header: DataSetHeader): Promise<Place> {
    const study = await this.#options.catalogue.obtain(this.#describe(request, header));
    return { study, instanceKeyOf: (number) => instanceKey(study.created.salt, number) };
  }

  #describe(request: StoreRequest, header: DataSetHeader): StudyCreated {
    const { studyInstanceUid, seriesInstanceUid, sopInstanceUid } = header;
    if (studyInstanceUid === undefined || seriesInstanceUid === undefined || sopInstanceUid === undefined) {
      throw new AppError('OBJECT_MISMATCH', 'An object lacks its study, series or SOP instance UID.');
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
