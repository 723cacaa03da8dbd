/**
 * One data set on its way to disk. First its header is gathered until its study is known; from then on bytes go
 * straight to the object's file. `finish` resolves when file, folder and manifest record are on disk (fsync).
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Clock, DataSetHeader, HeaderScan, HeaderScanner, OpenHeaderScanner } from '../ports.ts';
import { instancePrefix, type InstanceIdentity } from '../protocol/instance-prefix.ts';
import type { KeptStudy } from './kept-study.ts';
import { headerBytesMax } from './limits.ts';
import { ObjectIntake } from './object-intake.ts';

export interface Place {
  readonly study: KeptStudy;
  /** x_j of the object that gets this number. */
  readonly instanceKeyOf: (number: number) => Uint8Array;
}

export interface ReceptionOptions {
  readonly identity: InstanceIdentity;
  /** Finds or makes the study. @throws AppError OBJECT_MISMATCH. */
  readonly place: (header: DataSetHeader) => Promise<Place>;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly clock: Clock;
}

export interface Received {
  readonly study: KeptStudy;
  /** `repeated`: the same bytes under the same UID are held already, nothing was added. */
  readonly outcome: 'kept' | 'kept beside others of its UID' | 'repeated';
}

function prefixOf(identity: InstanceIdentity): Uint8Array {
  try {
    return instancePrefix(identity);
  } catch (cause) {
    throw new AppError('OBJECT_MISMATCH', 'A C-STORE request names no valid UIDs.', { cause });
  }
}

export class ObjectReception {
  readonly #options: ReceptionOptions;
  readonly #prefix: Uint8Array;
  readonly #scanner: HeaderScanner;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #placed: { readonly study: KeptStudy; readonly intake: ObjectIntake } | undefined;

  /** @throws AppError OBJECT_MISMATCH if the identity has no valid UIDs. */
  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#prefix = prefixOf(options.identity);
    this.#scanner = options.openHeaderScanner(options.identity.transferSyntaxUid);
  }

  /** Bytes of the data set, as StoreSink has them: to be copied where they are kept. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#placed !== undefined) return this.#placed.intake.write(chunk);
    const kept = new Uint8Array(chunk);
    this.#gathered.push(kept);
    this.#gatheredBytes += kept.length;
    return this.#heed(this.#scanner.push(kept));
  }

  /** The record is appended after `turn`, so that objects whose files are written side by side are listed in order. */
  async finish(turn: Promise<unknown> = Promise.resolve()): Promise<Received> {
    if (this.#placed === undefined) await this.#heed(this.#scanner.end());
    if (this.#placed === undefined)
      throw new AppError('OBJECT_UNREADABLE', 'An object ended inside its header.');
    const { study, intake } = this.#placed;
    const digest = intake.digest();
    if (this.#isHeld(study, digest)) {
      await intake.abort();
      return { study, outcome: 'repeated' };
    }
    const object = await intake.finish(digest, this.#options.clock.now());
    await turn;
    // Another association may have brought the same object meanwhile: look again when nobody else appends.
    return study.exclusively(async () => {
      if (this.#isHeld(study, digest)) {
        await intake.discard();
        return { study, outcome: 'repeated' };
      }
      const isFirst = study.instances(object.sopInstanceUid).length === 0;
      await study.append(object);
      return { study, outcome: isFirst ? 'kept' : 'kept beside others of its UID' };
    });
  }

  #isHeld(study: KeptStudy, digest: Uint8Array): boolean {
    return study
      .instances(this.#options.identity.sopInstanceUid)
      .some((object) => equalBytes(object.digest, digest));
  }

  async abort(): Promise<void> {
    await this.#placed?.intake.abort();
  }

  /** Places the object once its header is complete; a promise only then, so that small pieces cost no turn. */
  #heed(scan: HeaderScan): Promise<void> | undefined {
    switch (scan.kind) {
      case 'malformed':
        throw new AppError('OBJECT_UNREADABLE', `The header of an object cannot be parsed: ${scan.reason}.`);
      case 'more':
        if (this.#gatheredBytes <= headerBytesMax) return undefined;
        throw new AppError(
          'OBJECT_UNREADABLE',
          `An object has no UIDs in its first ${headerBytesMax} bytes.`,
        );
      case 'complete':
        return this.#place(scan.elements);
    }
  }

  async #place(header: DataSetHeader): Promise<void> {
    const { identity, place } = this.#options;
    const { study, instanceKeyOf } = await place(header);
    const { seriesInstanceUid = '', modality = '' } = header;
    const intake = await ObjectIntake.begin(
      study,
      { ...identity, seriesInstanceUid, modality },
      instanceKeyOf,
    );
    this.#placed = { study, intake };
    await intake.write(this.#prefix);
    for (const chunk of this.#gathered.splice(0)) await intake.write(chunk);
  }
}
