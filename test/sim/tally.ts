/** What many seeds have shown, by kind of world. */
import { commandFor, type SeedResult } from './seed-run.ts';

export class Tally {
  readonly #seeds = new Map<string, number>();
  readonly #figures = new Map<string, Map<string, number>>();
  readonly failed: SeedResult[] = [];
  seeds = 0;

  add(result: SeedResult): void {
    const { mode, figures, failures } = result;
    this.seeds++;
    this.#seeds.set(mode, (this.#seeds.get(mode) ?? 0) + 1);
    if (failures.length > 0) this.failed.push(result);
    const sums = this.#figures.get(mode) ?? new Map<string, number>();
    this.#figures.set(mode, sums);
    for (const [name, figure] of Object.entries(figures)) {
      const before = sums.get(name) ?? 0;
      sums.set(name, name.endsWith('Max') ? Math.max(before, figure) : before + figure);
    }
  }

  figure(mode: string, name: string): number {
    return this.#figures.get(mode)?.get(name) ?? 0;
  }

  /** A line for each kind of world, then one for each seed that failed. */
  lines(): string[] {
    const width = Math.max(0, ...[...this.#seeds.keys()].map(({ length }) => length));
    const rows = [...this.#seeds].map(([mode, seeds]) => {
      const figures = [...(this.#figures.get(mode) ?? [])].map(([name, figure]) => `${name} ${figure}`);
      return `${mode.padEnd(width)}  ${seeds} seeds  ${figures.join(', ')}`;
    });
    return [
      ...rows,
      ...this.failed.flatMap((result) => [
        `FAILED ${commandFor(result)}`,
        ...result.failures.map((failure) => `  ${failure}`),
      ]),
    ];
  }
}
