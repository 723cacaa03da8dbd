/**
 * Keeps what modalities send. An object is answered 0x0000 only when its file, its folder and its manifest record are
 * on disk (fsync); anything else is answered with a failure, and the modality keeps its copy.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Clock, DataSetHeader, Logger, ScanHeader, StoreRequest, StoreSink } from '../ports.ts';
import { instanceKey } from '../protocol/commitments.ts';
import type { Catalogue } from './catalogue.ts';
import type { KeptStudy } from './kept-study.ts';
import { headerBytesMax, headerFirstLookBytes } from './limits.ts';
import { ObjectIntake } from './object-intake.ts';

export interface KeeperOptions {
  readonly catalogue: Catalogue;
  readonly scanHeader: ScanHeader;
  readonly clock: Clock;
  readonly logger: Logger;
}

const success = { status: 0x0000 } as const;

export class Keeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** One sink for one C-STORE. */
  receive(request: StoreRequest): StoreSink {
    return new Reception(request, this.#options);
  }
}

/** First the header is gathered until the study is known; from then on bytes go straight to the object's file. */
class Reception implements StoreSink {
  readonly #request: StoreRequest;
  readonly #options: KeeperOptions;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #nextLookBytes = headerFirstLookBytes;
  #placed: { readonly study: KeptStudy; readonly intake: ObjectIntake } | undefined;

  constructor(request: StoreRequest, options: KeeperOptions) {
    this.#request = request;
    this.#options = options;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#placed !== undefined) return this.#placed.intake.write(chunk);
    // The chunk may be a view of the socket's buffer, which is used again: what is gathered is copied.
    this.#gathered.push(Uint8Array.from(chunk));
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes < this.#nextLookBytes) return undefined;
    this.#nextLookBytes = this.#gatheredBytes * 2;
    return this.#look(false);
  }

  async finish(): Promise<{ status: number; comment?: string }> {
    if (this.#placed === undefined) await this.#look(true);
    if (this.#placed === undefined) throw new AppError('OBJECT_UNREADABLE', 'An object ended inside its header.');
    const { study, intake } = this.#placed;
    const digest = intake.digest();
    const { catalogue, clock, logger } = this.#options;
    const earlier = study.instances(this.#request.sopInstanceUid);
    if (earlier.some((object) => equalBytes(object.digest, digest))) {
      await intake.abort();
      logger.info({ study: study.ref }, 'object repeated, kept once');
      return success;
    }
    if (earlier.length > 0) logger.warn({ study: study.ref }, 'object with a known UID and other bytes, both kept');
    await study.append(await intake.finish(digest, clock.now()));
    catalogue.changed(study);
    return success;
  }

  async abort(reason: Error): Promise<void> {
    await this.#placed?.intake.abort();
    this.#options.logger.warn({ reason: reason instanceof AppError ? reason.code : reason.name }, 'object not received');
  }

  async #look(atEnd: boolean): Promise<void> {
    const { scanHeader } = this.#options;
    const head = this.#gathered.length === 1 ? this.#gathered[0]! : Buffer.concat(this.#gathered);
    const scan = scanHeader(head, this.#request.transferSyntaxUid, atEnd);
    switch (scan.kind) {
      case 'malformed':
        throw new AppError('OBJECT_UNREADABLE', `The header of an object cannot be parsed: ${scan.reason}.`);
      case 'more':
        if (head.length > headerBytesMax) {
          throw new AppError('OBJECT_UNREADABLE', `An object has no UIDs in its first ${headerBytesMax} bytes.`);
        }
        return;
      case 'complete': {
        const study = await this.#studyOf(scan.elements);
        const intake = await ObjectIntake.begin(
          study,
          {
            sopClassUid: this.#request.sopClassUid,
            sopInstanceUid: this.#request.sopInstanceUid,
            transferSyntaxUid: this.#request.transferSyntaxUid,
            seriesInstanceUid: scan.elements.seriesInstanceUid ?? '',
            modality: scan.elements.modality ?? '',
          },
          (number) => instanceKey(study.created.salt, number),
        );
        this.#placed = { study, intake };
        this.#gathered = [];
        await intake.writePrefix();
        await intake.write(head);
      }
    }
  }

  async #studyOf(header: DataSetHeader): Promise<KeptStudy> {
    const { studyInstanceUid, seriesInstanceUid, sopInstanceUid } = header;
    if (studyInstanceUid === undefined || seriesInstanceUid === undefined || sopInstanceUid === undefined) {
      throw new AppError('OBJECT_MISMATCH', 'An object lacks its study, series or SOP instance UID.');
    }
    if (sopInstanceUid !== this.#request.sopInstanceUid) {
      throw new AppError('OBJECT_MISMATCH', 'The SOP instance UID of a data set is not that of its C-STORE request.');
    }
    return this.#options.catalogue.obtain(studyInstanceUid, () => ({
      is: 'study',
      studyInstanceUid,
      salt: randomBytes(32),
      origin: { kind: 'modality' },
      patient: {
        patientId: header.patientId ?? '',
        issuer: header.issuerOfPatientId ?? '',
        name: header.patientName ?? '',
        birthDate: header.patientBirthDate ?? '',
        sex: header.patientSex ?? '',
      },
      date: header.studyDate ?? '',
      description: header.studyDescription ?? '',
      at: this.#options.clock.now(),
    }));
  }
}
