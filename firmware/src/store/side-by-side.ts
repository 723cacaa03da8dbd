/**
 * Several of one kind under way at a time, their results in the order in which they were asked for. No more is begun than
 * the bound while the consumer is busy: what was made waits in memory. A fault is thrown in its turn; before that, and
 * when the consumer stops, whatever is under way comes to its end, so that nothing is left open.
 */
export async function* sideBySide<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  run: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const underWay: Promise<PromiseSettledResult<Result>[]>[] = [];
  try {
    for (const item of items) {
      // Settled, since nobody looks at it before its turn: a rejection in between would count as one of nobody's.
      underWay.push(Promise.allSettled([run(item)]));
      if (underWay.length >= atOnce) yield await first(underWay);
    }
    while (underWay.length > 0) yield await first(underWay);
  } finally {
    await Promise.all(underWay);
  }
}

async function first<Result>(underWay: Promise<PromiseSettledResult<Result>[]>[]): Promise<Result> {
  const [settled] = (await underWay.shift()) ?? [];
  if (settled === undefined) throw new Error('nothing is under way');
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
