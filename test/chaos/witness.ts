/** Remembers what boxes have called final, over all their lives, and complains where that does not hold. */
import type { ErrorCode } from '../../firmware/src/errors.ts';
import type { BoxReport, FinalBlockTold } from './box-messages.ts';

/** Stands while the last block is old, as after all were killed on a slow machine; the next block takes it back. */
const passing: ErrorCode = 'LEDGER_STALE';

interface Told {
  readonly box: string;
  readonly height: number;
}

export class Witness {
  /** By height: who told it first. */
  readonly #blocks = new Map<number, { readonly digest: string; readonly box: string }>();
  /** Transactions that somebody was told to be final. */
  readonly #final = new Map<string, Told>();
  readonly complaints: string[] = [];
  #height = 0;

  /** Of the newest block that any box has called final. */
  get height(): number {
    return this.#height;
  }

  get transactions(): number {
    return this.#final.size;
  }

  /** True if it is higher than all before. */
  block(box: string, { height, digest }: Pick<FinalBlockTold, 'height' | 'digest'>): boolean {
    const known = this.#blocks.get(height);
    if (known === undefined) this.#blocks.set(height, { digest, box });
    else if (known.digest !== digest)
      this.complaints.push(`${box} and ${known.box} differ in block ${height}`);
    const isNew = height > this.#height;
    if (isNew) this.#height = height;
    return isNew;
  }

  transaction(box: string, id: string, height: number): void {
    const known = this.#final.get(id);
    if (known === undefined) this.#final.set(id, { box, height });
    else if (known.height !== height)
      this.complaints.push(`${id} is in block ${height} for ${box}, in ${known.height} for ${known.box}`);
  }

  /**
   * What a box has on its disk at the end must be all that any box has called final up to this height. Beyond it the
   * ledger may have grown while boxes were asked one after the other.
   */
  report(box: string, { blocks, accused, alarms, isVoting }: BoxReport, upTo: number): void {
    const places = new Map<string, number>();
    for (const [index, block] of blocks.entries()) {
      if (block.height !== index + 1)
        this.complaints.push(`${box} has block ${block.height} at ${index + 1}`);
      this.block(box, block);
      for (const id of block.ids) {
        if (places.has(id)) this.complaints.push(`${box} has ${id} twice`);
        places.set(id, block.height);
      }
    }
    if (blocks.length < upTo) this.complaints.push(`${box} ends at ${blocks.length} instead of ${upTo}`);
    for (const [id, told] of this.#final) {
      if (told.height <= upTo && places.get(id) !== told.height)
        this.complaints.push(`${box} lacks ${id}, which ${told.box} called final at ${told.height}`);
    }
    for (const id of accused) this.complaints.push(`${box} holds ${id} guilty`);
    for (const code of alarms) if (code !== passing) this.complaints.push(`${box} has the alarm ${code}`);
    if (!isVoting) this.complaints.push(`${box} does not vote`);
  }
}
