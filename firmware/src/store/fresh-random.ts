/**
 * Random bytes that are no secrets: salts and references, which stand on the disk as they are. Drawn from the system in
 * larger pieces, since to ask for them costs the same however few they are.
 */
import { randomFillSync } from 'node:crypto';
import { freshRandomBytes } from './limits.ts';

const drawn = new Uint8Array(freshRandomBytes);
let used = drawn.length;

/** So many bytes that were never given before, in memory of their own. At most `freshRandomBytes`. */
export function freshRandom(length: number): Uint8Array {
  if (length > drawn.length) throw new RangeError(`${length} random bytes at a time`);
  if (used + length > drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += length;
  return drawn.slice(used - length, used);
}
