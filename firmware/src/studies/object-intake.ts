/** One object on its way into a study: leaves of the commitment are computed, and its bytes sealed, as they pass. */
import type { DataSetHeader, ObjectWriter, SealedObject } from '../ports.ts';
import type { InstanceIdentity } from '../protocol/instance-prefix.ts';
import { Fingerprint } from './fingerprint.ts';
import { dataSetIn } from './kept-data-set.ts';
import type { KeptStudy } from './kept-study.ts';
import type { ObjectKept } from './manifest.ts';

export interface IntakeDescription {
  readonly identity: InstanceIdentity;
  /** AE title that sends it; empty for what is fetched. */
  readonly callingAeTitle: string;
  readonly header: DataSetHeader;
}

/** An object whose UID is taken by others with other bytes, at the moment when it would be listed beside them. */
export interface Collided extends IntakeDescription {
  readonly study: KeptStudy;
  /** Held objects of its UID, oldest first. */
  readonly earlier: readonly ObjectKept[];
  /** Its data set, from the beginning each time it is asked for. @throws AppError STORE_CORRUPT. */
  readonly dataSet: () => AsyncIterable<Uint8Array>;
}

export type CollisionOutcome =
  | { readonly kind: 'keep'; readonly corrects: number | null }
  /** It is not kept here: somebody else took it. */
  | { readonly kind: 'set aside' };

/** Asked for one object of a study at a time. */
export type Collide = (collided: Collided) => Promise<CollisionOutcome>;

/** What became of it. */
export type Kept =
  | { readonly outcome: 'kept'; readonly object: ObjectKept; readonly earlier: readonly ObjectKept[] }
  | { readonly outcome: 'repeated'; readonly object: ObjectKept }
  | { readonly outcome: 'set aside' };

export class ObjectIntake {
  readonly #study: KeptStudy;
  readonly #description: IntakeDescription;
  readonly #number: number;
  readonly #fingerprint: Fingerprint;
  readonly #writer: ObjectWriter;
  #leaves: Uint8Array | undefined;
  #sealed: SealedObject | undefined;
  #isHandedOver = false;

  /** `instanceKeyOf` gives x_j: derived from the study's salt here, named by the source for a fetched study. */
  constructor(
    study: KeptStudy,
    description: IntakeDescription,
    instanceKeyOf: (number: number) => Uint8Array,
  ) {
    this.#study = study;
    this.#description = description;
    this.#number = study.takeNumber();
    const { sopInstanceUid } = description.identity;
    this.#fingerprint = Fingerprint.begin(
      instanceKeyOf(this.#number),
      study.instances(sopInstanceUid),
      study.underWay.of(sopInstanceUid),
    );
    study.underWay.add(sopInstanceUid, this.#fingerprint);
    this.#writer = study.folder.createObject(this.#fingerprint.keys);
  }

  /** Bytes of the instance: its canonical prefix first, then the data set as it came. Used before it returns. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#writer.write(bytes);
  }

  /** Nothing more is written. @throws AppError STORE_FAILED. */
  async finish(): Promise<void> {
    const sealed = await this.#writer.finish();
    this.#sealed = sealed;
    this.#leaves = this.#fingerprint.end(sealed);
  }

  /**
   * After `finish`: on disk with its record when it resolves, or not kept because the same bytes are. Objects are listed
   * in the order of the calls. What differs from others of its UID is kept beside them, unless `collide` says otherwise.
   * @throws AppError STORE_FAILED; whatever `collide` throws, after which nothing of it is left.
   */
  async keep(at: number, collide?: Collide): Promise<Kept> {
    const [sealed, leaves] = [this.#sealed, this.#leaves];
    if (sealed === undefined || leaves === undefined)
      throw new Error('an intake is finished before it is kept');
    this.#isHandedOver = true;
    const { sopInstanceUid } = this.#description.identity;
    const others =
      this.#study.instances(sopInstanceUid).length + this.#study.beingKept(sopInstanceUid).length;
    try {
      if (collide === undefined || others === 0 || this.#heldOrFlushed(sopInstanceUid) !== undefined)
        return await this.#append(sealed, leaves, at, null);
      return await this.#study.inTurn(() => this.#contest(sealed, leaves, at, collide));
    } finally {
      this.#study.underWay.remove(sopInstanceUid, this.#fingerprint);
    }
  }

  /**
   * Removes what was written. What `keep` was called for is not its business any more: its record may be on disk though
   * it failed, and the store discards it as soon as that is out of the question.
   */
  async abort(): Promise<void> {
    this.#study.underWay.remove(this.#description.identity.sopInstanceUid, this.#fingerprint);
    if (this.#isHandedOver) return;
    if (this.#sealed === undefined) await this.#writer.abort();
    else await this.#sealed.discard();
  }

  async #append(
    sealed: SealedObject,
    leaves: Uint8Array,
    at: number,
    corrects: number | null,
  ): Promise<Kept> {
    const { identity, callingAeTitle, header } = this.#description;
    const { transferSyntaxUid, sopClassUid, sopInstanceUid } = identity;
    const same = this.#heldOrFlushed(sopInstanceUid);
    if (same !== undefined) {
      await sealed.discard();
      return { outcome: 'repeated', object: await same };
    }
    // No pause since the look: nobody else of this UID came between.
    const object = await this.#study.keep(sealed, ({ ref, frame, length, lastTag }) => ({
      is: 'object',
      number: this.#number,
      fileRef: ref,
      frame,
      length,
      lastTag,
      instanceKey: this.#fingerprint.key,
      leaves,
      corrects,
      transferSyntaxUid,
      sopClassUid,
      sopInstanceUid,
      callingAeTitle,
      header,
      at,
    }));
    const all = this.#study.instances(sopInstanceUid);
    return { outcome: 'kept', object, earlier: all.slice(0, all.indexOf(object)) };
  }

  /** Others of its UID are there: one at a time is judged, against those that are on disk. */
  async #contest(sealed: SealedObject, leaves: Uint8Array, at: number, collide: Collide): Promise<Kept> {
    const { sopInstanceUid } = this.#description.identity;
    // How their flush ends is told to whoever sent them; those that are listed afterwards came earlier.
    await Promise.allSettled(this.#study.beingKept(sopInstanceUid).map(({ kept }) => kept));
    const earlier = this.#study.instances(sopInstanceUid);
    if (earlier.length === 0 || earlier.some((object) => this.#fingerprint.isOf(object)))
      return this.#append(sealed, leaves, at, null);
    const outcome = await this.#judged(sealed, earlier, collide);
    if (outcome.kind === 'keep') return this.#append(sealed, leaves, at, outcome.corrects);
    await sealed.discard();
    return { outcome: 'set aside' };
  }

  async #judged(
    sealed: SealedObject,
    earlier: readonly ObjectKept[],
    collide: Collide,
  ): Promise<CollisionOutcome> {
    try {
      const dataSet = (): AsyncIterable<Uint8Array> => dataSetIn(() => sealed.open());
      return await collide({ ...this.#description, study: this.#study, earlier, dataSet });
    } catch (error) {
      await sealed.discard();
      throw error;
    }
  }

  /** What has the same bytes, once it is on disk. */
  #heldOrFlushed(sopInstanceUid: string): Promise<ObjectKept> | undefined {
    const held = this.#study.instances(sopInstanceUid).find((object) => this.#fingerprint.isOf(object));
    if (held !== undefined) return Promise.resolve(held);
    return this.#study.beingKept(sopInstanceUid).find(({ object }) => this.#fingerprint.isOf(object))?.kept;
  }
}
