/** What is compared, and how long each took. */
export const operations = ['seal', 'unseal', 'sign', 'quote'] as const;
export type Operation = (typeof operations)[number];

/** Whoever makes these operations on the same TPM. @returns milliseconds of each. */
export type Runner = (operation: Operation, count: number) => Promise<number[]>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
