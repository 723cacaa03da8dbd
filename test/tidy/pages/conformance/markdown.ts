/** Tables of the conformance statement in Markdown. */

const cell = (text: string): string => text.replaceAll('|', '\\|');

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export const code = (text: string | number): string => `\`${text}\``;

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 120_000) return `${ms / 1_000} s`;
  if (ms < 7_200_000) return `${ms / 60_000} min`;
  return ms < 172_800_000 ? `${ms / 3_600_000} h` : `${ms / 86_400_000} days`;
}

/** 131,072 */
export const number = (value: number): string => value.toLocaleString('en-US');

/** Links to test files, by their names below test/. */
export const tests = (...names: readonly string[]): string =>
  names.map((name) => `[${name.replace(/^.*\//, '')}](../test/${name}.test.ts)`).join(', ');
