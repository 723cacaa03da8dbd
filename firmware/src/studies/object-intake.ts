/** One object on its way into a study: leaves of the commitment and the digest are computed as its bytes pass. */
import { createHash, createHmac } from 'node:crypto';
import { concatBytes } from '../encoding/bytes.ts';
import type { ObjectWriter } from '../ports.ts';
import { leafMessagePrefix } from '../protocol/commitments.ts';
import type { KeptStudy } from './kept-study.ts';
import type { ObjectKept } from './manifest.ts';

export interface IntakeDescription {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
}

export class ObjectIntake {
  readonly #description: IntakeDescription;
  readonly #number: number;
  readonly #instanceKey: Uint8Array;
  readonly #writer: ObjectWriter;
  readonly #hash = createHash('sha256');
  readonly #leaves: Uint8Array[];

  private constructor(
    description: IntakeDescription,
    number: number,
    instanceKey: Uint8Array,
    writer: ObjectWriter,
    leaves: Uint8Array[],
  ) {
    this.#description = description;
    this.#number = number;
    this.#instanceKey = instanceKey;
    this.#writer = writer;
    this.#leaves = leaves;
  }

  /** `instanceKeyOf` gives x_j: derived from the study's salt here, named by the source for a fetched study. */
  static async begin(
    study: KeptStudy,
    description: IntakeDescription,
    instanceKeyOf: (number: number) => Uint8Array,
  ): Promise<ObjectIntake> {
    const number = study.takeNumber();
    const instanceKey = instanceKeyOf(number);
    const leaves: Uint8Array[] = [];
    const writer = await study.folder.createObject((index, segment) => {
      leaves.push(
        createHmac('sha256', instanceKey).update(leafMessagePrefix(index)).update(segment).digest(),
      );
    });
    return new ObjectIntake(description, number, instanceKey, writer, leaves);
  }

  /** Bytes of the instance: its canonical prefix first, then the data set as it came. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#hash.update(bytes);
    return this.#writer.write(bytes);
  }

  /** SHA-256 over all bytes; nothing may be written after it. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  /** On disk when it resolves; the record must still be appended to the manifest. */
  async finish(digest: Uint8Array, at: number): Promise<ObjectKept> {
    const stored = await this.#writer.finish();
    return {
      is: 'object',
      number: this.#number,
      fileRef: stored.ref,
      length: stored.length,
      lastTag: stored.lastTag,
      instanceKey: this.#instanceKey,
      leaves: concatBytes(...this.#leaves),
      digest,
      ...this.#description,
      at,
    };
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }

  /** After `finish`, instead of appending the record. */
  discard(): Promise<void> {
    return this.#writer.discard();
  }
}
