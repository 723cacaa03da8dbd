/** Tables for a terminal. What comes from elsewhere is shown without control characters, which could rewrite the screen. */

function printable(text: string): string {
  return text.replace(/\p{C}/gu, ' ');
}

/** Columns as wide as their longest cell, two spaces apart. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((cells) => cells.map(printable));
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** UTC to the second. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** DA as people read it: 2024-03-09; anything else as it is. */
export function formatDate(date: string): string {
  return date.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3');
}

/** Sizes are known by their power of two alone. */
export function formatSizeBucket(bucket: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(Math.floor(bucket / 10), units.length - 1);
  return `up to ${2 ** (bucket - 10 * unit)} ${units[unit]}`;
}
