/** How many institutions, or validators, must agree: every one of them weighs the same (docs/adr/0026). */

/** n − ⌊(n−1)/3⌋, the one quorum of Hilum: what fewer than a third want alone does not happen, nor can they prevent it. */
export function quorumOf(n: number): number {
  return n - Math.floor((n - 1) / 3);
}
