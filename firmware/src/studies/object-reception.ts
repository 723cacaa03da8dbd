/**
 * One data set on its way to disk. First its header is gathered until its study is known; from then on bytes are hashed
 * and sealed as they come. `finish` resolves when the object and its record are on disk (fsync).
 */
import { AppError } from '../errors.ts';
import type { Clock, DataSetHeader, HeaderScan, HeaderScanner, OpenHeaderScanner } from '../ports.ts';
import { instancePrefix, type InstanceIdentity } from '../protocol/instance-prefix.ts';
import type { KeptStudy } from './kept-study.ts';
import { headerBytesMax, headerPieceBytes } from './limits.ts';
import { ObjectIntake, type Collide } from './object-intake.ts';

export type { Collided, CollisionOutcome } from './object-intake.ts';

export interface Place {
  readonly study: KeptStudy;
  /** x_j of the object that gets this number. */
  readonly instanceKeyOf: (number: number) => Uint8Array;
}

/** The memory that gathering a header takes. */
export interface Gathering {
  /** @throws AppError BUSY if there is no room for so many bytes more. */
  take(bytes: number): void;
  /** Nothing is gathered any more. Called more than once. */
  leave(): void;
}

export interface ReceptionOptions {
  readonly identity: InstanceIdentity;
  /** AE title that sends it; empty for what is fetched. */
  readonly callingAeTitle: string;
  /** Finds or makes the study. @throws AppError OBJECT_MISMATCH. */
  readonly place: (header: DataSetHeader) => Promise<Place>;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly clock: Clock;
  /** Without one nothing bounds the headers of several receptions together. */
  readonly gathering?: Gathering;
  /** Bytes of the data set that go into the study, once it is placed. @throws AppError to refuse them. */
  readonly onBytes?: (bytes: number) => void;
  /** Decides about an object whose UID is taken by others; without it, it is kept beside them. */
  readonly collide?: Collide;
}

export interface Received {
  readonly study: KeptStudy;
  /**
   * `corrected`: kept in the place of an earlier one. `repeated`: the same bytes under the same UID are held already,
   * nothing was added. `set aside`: `collide` said so, nothing was added here.
   */
  readonly outcome: 'kept' | 'kept beside others of its UID' | 'corrected' | 'repeated' | 'set aside';
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
    if (this.#placed !== undefined) {
      this.#options.onBytes?.(chunk.length);
      return this.#placed.intake.write(chunk);
    }
    // A little at a time: what comes behind the header need not be copied.
    for (let at = 0; at < chunk.length;) {
      const piece = this.#gather(chunk.subarray(at, at + headerPieceBytes));
      at += piece.length;
      const rest = chunk.subarray(at);
      let heeded: Promise<void> | undefined;
      try {
        const scan = this.#scanner.push(piece);
        heeded = scan instanceof Promise ? scan.then((scanned) => this.#heed(scanned)) : this.#heed(scan);
      } catch (error) {
        this.#gather(rest);
        throw error;
      }
      if (heeded !== undefined) return this.#goOn(heeded, rest);
    }
    return undefined;
  }

  /**
   * On disk with its record when it resolves. The record follows when `turn` has resolved, so that objects whose ends are
   * written side by side are listed in order; those of one study that come at a time share a flush.
   * @throws AppError OBJECT_UNREADABLE if the data set ended too soon; STORE_FAILED.
   */
  async finish(turn: Promise<unknown> = Promise.resolve()): Promise<Received> {
    if (this.#placed === undefined) await this.#heed(await this.#scanner.end());
    if (this.#placed === undefined)
      throw new AppError('OBJECT_UNREADABLE', 'An object ended inside its header.');
    const { study, intake } = this.#placed;
    await intake.finish();
    await turn;
    const { clock, collide } = this.#options;
    const kept = await intake.keep(clock.now(), collide);
    if (kept.outcome !== 'kept') return { study, outcome: kept.outcome };
    if (kept.object.corrects !== null) return { study, outcome: 'corrected' };
    return { study, outcome: kept.earlier.length === 0 ? 'kept' : 'kept beside others of its UID' };
  }

  /** Before it has a place: what came of it so far, to be kept elsewhere. */
  takeGathered(): readonly Uint8Array[] {
    return this.#gathered.splice(0);
  }

  async abort(): Promise<void> {
    this.#scanner.close();
    this.#gathered = [];
    this.#options.gathering?.leave();
    await this.#placed?.intake.abort();
  }

  /** A copy, which is kept until the object has a place. @throws AppError BUSY. */
  #gather(bytes: Uint8Array): Uint8Array {
    this.#options.gathering?.take(bytes.length);
    const kept = new Uint8Array(bytes);
    this.#gathered.push(kept);
    this.#gatheredBytes += kept.length;
    return kept;
  }

  /** With the rest of a chunk, which is gathered if the object gets no place. */
  async #goOn(heeded: Promise<void>, rest: Uint8Array): Promise<void> {
    try {
      await heeded;
    } catch (error) {
      this.#gather(rest);
      throw error;
    }
    await this.write(rest);
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
    const { identity, callingAeTitle, place, onBytes, gathering } = this.#options;
    const { study, instanceKeyOf } = await place(header);
    onBytes?.(this.#gatheredBytes);
    const intake = new ObjectIntake(study, { identity, callingAeTitle, header }, instanceKeyOf);
    this.#placed = { study, intake };
    await intake.write(this.#prefix);
    for (const chunk of this.#gathered.splice(0)) await intake.write(chunk);
    gathering?.leave();
  }
}
