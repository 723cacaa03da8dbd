/**
 * The ends of epochs: what a box must have written there can be had at no other time, and without it nobody new comes
 * past that end.
 */
import type { Block } from '../../firmware/src/ledger/types.ts';
import type { Agreement } from './agreement.ts';
import type { SimNode } from './node.ts';
import { randomFrom, type Random } from './random.ts';

/** Which of them go badly. Drawn apart from the rest of the world, which is the same with them and without. */
export class BadEnds {
  readonly #random: Random;
  /** By epoch. */
  readonly #bad = new Map<number, boolean>();

  constructor(seed: number) {
    this.#random = randomFrom(seed ^ 0x0e9d5eed);
  }

  /** True if a box loses power that has just written these blocks, of which one closes its epoch. */
  cuts([first]: readonly Block[]): boolean {
    const epoch = first?.header.epoch ?? 0;
    const isBad = this.#bad.get(epoch) ?? this.#random.chance(0.3);
    this.#bad.set(epoch, isBad);
    return isBad && this.#random.chance(0.9);
  }
}

/** What is wrong with a node's dropping the blocks below this height, or undefined. */
export function brokenByDropping(node: SimNode, height: number, agreement: Agreement): string | undefined {
  const last = agreement.epochAt(height - 1);
  for (let epoch = 0; last !== undefined && epoch <= last; epoch++)
    if (!node.hasHandover(epoch))
      return `${node.name} drops blocks up to epoch ${last} and has no handover of epoch ${epoch}`;
  return undefined;
}
