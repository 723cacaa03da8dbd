/** Sets of object indices of a study, as sorted ranges: four hundred refused slices are one range. */
export type IndexRange = readonly [first: number, count: number];

/** The set with a range added; what touches or overlaps becomes one. */
export function addRange(ranges: readonly IndexRange[], [first, count]: IndexRange): IndexRange[] {
  if (count === 0) return [...ranges];
  let from = first;
  let to = first + count;
  const apart: IndexRange[] = [];
  for (const range of ranges) {
    const end = range[0] + range[1];
    if (end < from || range[0] > to) {
      apart.push(range);
      continue;
    }
    from = Math.min(from, range[0]);
    to = Math.max(to, end);
  }
  return [...apart, [from, to - from] as const].sort((a, b) => a[0] - b[0]);
}

/** The set without the indices of a range. */
export function removeRange(ranges: readonly IndexRange[], [first, count]: IndexRange): IndexRange[] {
  if (count === 0) return [...ranges];
  const end = first + count;
  return ranges.flatMap(([from, length]): IndexRange[] => {
    const to = from + length;
    const before = Math.min(to, first) - from;
    const after = to - Math.max(from, end);
    return [
      ...(before > 0 ? [[from, before] as const] : []),
      ...(after > 0 ? [[to - after, after] as const] : []),
    ];
  });
}

export function countIn(ranges: readonly IndexRange[]): number {
  return ranges.reduce((sum, [, count]) => sum + count, 0);
}
