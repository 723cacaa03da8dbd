/** Takes a stream of a study: the manifest against the ledger's commitment, each chunk against the manifest, then disk. */
import { createHmac, randomBytes } from 'node:crypto';
import { concatBytes, equalBytes, toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { StudyId } from '../ledger/types.ts';
import type { Clock, DataSetHeader, InstitutionId, OpenHeaderScanner } from '../ports.ts';
import {
  acceptsChunk,
  chunkCount,
  leafMessagePrefix,
  type CommittedInstance,
} from '../protocol/commitments.ts';
import { parseInstancePrefix } from '../protocol/instance-prefix.ts';
import { decodeManifest, verifyManifest, type Manifest } from '../protocol/manifests.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import { contradict, patientOf } from '../studies/patient-identity.ts';
import { ObjectReception } from '../studies/object-reception.ts';
import { InOrder } from './in-order.ts';
import { objectsFinishingMax } from './limits.ts';
import { decodeStreamHead } from './messages.ts';

/** Room on the disk that was kept for somebody. */
export interface KeptRoom {
  /** Before so many bytes are written. @throws AppError DISK_LOW. */
  take(bytes: number): Promise<void> | undefined;
  end(): void;
}

export interface StudyReceiverOptions {
  readonly catalogue: Catalogue;
  /** Keeps so many bytes of the disk free for a study. @throws AppError DISK_LOW. */
  readonly keepRoom: (bytes: number) => Promise<KeptRoom>;
  readonly openHeaderScanner: OpenHeaderScanner;
  readonly clock: Clock;
}

export interface IncomingStudy {
  readonly studyId: StudyId;
  readonly source: InstitutionId;
  /** C as the opening receipt names it. */
  readonly commitment: Uint8Array;
  /** The newest objects of the study that are held from earlier streams, as the source was told. */
  readonly held: readonly ObjectKept[];
  readonly onProgress: (objects: number, bytes: number) => void;
}

function keysOf({ instances }: Manifest): ReadonlySet<string> {
  return new Set(instances.map(({ key }) => toHex(key)));
}

function unverified(what: string): AppError {
  return new AppError('TRANSFER_UNVERIFIED', `A transfer does not match the ledger: ${what}.`);
}

export class StudyReceiver {
  readonly #options: StudyReceiverOptions;

  constructor(options: StudyReceiverOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the study when all of it is on disk.
   * @throws AppError TRANSFER_UNVERIFIED; what was verified before stays, nothing else is kept. DISK_LOW before anything
   * is written of a study that has no room.
   */
  async receive(frames: AsyncIterable<Uint8Array>, incoming: IncomingStudy): Promise<KeptStudy | undefined> {
    const iterator = frames[Symbol.asyncIterator]();
    const kept = new InOrder<KeptStudy>(objectsFinishingMax);
    let room: KeptRoom | undefined;
    const next = async (): Promise<Uint8Array> => {
      const result = await iterator.next();
      if (result.done === true) throw unverified('it ended early');
      return result.value;
    };
    try {
      const manifest = await this.#manifest(next, incoming.commitment);
      const skip = this.#heldOf(manifest, incoming.held);
      const covered = keysOf(manifest);
      const missing = manifest.instances.slice(skip);
      room = await this.#options.keepRoom(missing.reduce((sum, { length }) => sum + length, 0));
      for (const [index, instance] of missing.entries()) {
        await room.take(instance.length);
        const reception = await this.#instance(next, instance, incoming, covered);
        await kept.add((turn) => this.#keep(reception, turn, incoming, skip + index + 1));
      }
      if ((await iterator.next()).done !== true) throw unverified('it goes on after its last chunk');
      const study = await kept.last();
      this.#assertCovered(manifest, incoming.studyId);
      return study;
    } finally {
      await Promise.all([kept.settled(), iterator.return?.()]);
      room?.end();
    }
  }

  /** Waits for the disk while the next objects come in. */
  async #keep(
    reception: ObjectReception,
    turn: Promise<unknown>,
    incoming: IncomingStudy,
    objects: number,
  ): Promise<KeptStudy> {
    try {
      const { study } = await reception.finish(turn);
      study.studyId = incoming.studyId;
      this.#options.catalogue.changed(study);
      incoming.onProgress(objects, study.bytes);
      return study;
    } catch (error) {
      await reception.abort();
      throw error;
    }
  }

  async #manifest(next: () => Promise<Uint8Array>, commitment: Uint8Array): Promise<Manifest> {
    const frameCount = decodeStreamHead(await next());
    if (frameCount === undefined) throw unverified('its head');
    const parts: Uint8Array[] = [];
    for (let i = 0; i < frameCount; i++) parts.push(await next());
    const decoded = decodeManifest(concatBytes(...parts));
    if (decoded.kind === 'refused' || !verifyManifest(decoded.manifest, commitment))
      throw unverified('its manifest');
    return decoded.manifest;
  }

  /** The source leaves out what is held if it is the beginning of this version; else it sends all of it. */
  #heldOf(manifest: Manifest, held: readonly ObjectKept[]): number {
    const instances = manifest.instances.slice(0, held.length);
    const isBeginning =
      instances.length === held.length &&
      instances.every(({ key }, index) => equalBytes(key, held[index]?.instanceKey ?? new Uint8Array(0)));
    if (!isBeginning) return 0;
    const covered = instances.every(
      ({ leaves, length }, index) => length === held[index]?.length && equalBytes(leaves, held[index].leaves),
    );
    if (!covered) throw unverified('objects that are held are not part of it');
    return held.length;
  }

  /** What was held under an earlier version and is not part of this one has been replaced: nothing else may stand. */
  #assertCovered(manifest: Manifest, studyId: StudyId): void {
    const covered = keysOf(manifest);
    const newest = this.#options.catalogue.byStudyId(studyId)?.newest ?? [];
    if (!newest.every(({ instanceKey }) => covered.has(toHex(instanceKey))))
      throw unverified('objects that are held are not part of it');
  }

  async #instance(
    next: () => Promise<Uint8Array>,
    instance: CommittedInstance,
    incoming: IncomingStudy,
    covered: ReadonlySet<string>,
  ): Promise<ObjectReception> {
    const { catalogue } = this.#options;
    let reception: ObjectReception | undefined;
    try {
      for (let n = 0; n < chunkCount(instance.length); n++) {
        const chunk = await next();
        const leaf = createHmac('sha256', instance.key).update(leafMessagePrefix(n)).update(chunk).digest();
        if (!acceptsChunk(instance, n, chunk.length, leaf)) throw unverified('a chunk');
        if (reception === undefined) {
          const begin = parseInstancePrefix(chunk);
          if (begin === undefined) throw unverified('an object without its identity');
          reception = new ObjectReception({
            ...this.#options,
            identity: begin.identity,
            callingAeTitle: '',
            place: async (header) => {
              const described = this.#describe(header, incoming);
              const study = await catalogue.obtain(described);
              // It would be delivered under the first patient's local ID.
              if (contradict(study.created.patient, described.patient))
                throw unverified('it holds objects of more than one patient');
              return { study, instanceKeyOf: () => instance.key };
            },
            // The source corrected what is not part of this version any more.
            collide: ({ earlier }) => {
              const replaced = earlier.findLast(({ instanceKey }) => !covered.has(toHex(instanceKey)));
              return Promise.resolve({ kind: 'keep', corrects: replaced?.number ?? null });
            },
          });
          await reception.write(chunk.subarray(begin.dataSetOffset));
        } else {
          await reception.write(chunk);
        }
      }
      if (reception === undefined) throw unverified('an empty object');
      return reception;
    } catch (error) {
      await reception?.abort();
      throw error;
    }
  }

  #describe(header: DataSetHeader, incoming: IncomingStudy) {
    return {
      is: 'study',
      studyInstanceUid: header.studyInstanceUid ?? '',
      salt: randomBytes(32),
      origin: { kind: 'fetched', source: incoming.source, studyId: incoming.studyId },
      callingAeTitle: '',
      patient: patientOf(header),
      date: header.studyDate ?? '',
      description: header.studyDescription ?? '',
      at: this.#options.clock.now(),
    } as const;
  }
}
