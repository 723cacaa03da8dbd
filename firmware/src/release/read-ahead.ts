/** Fetches the next item while the current one is at work: disk and network then do not wait for each other. */
export async function* readAhead<Item>(items: AsyncIterable<Item>): AsyncIterable<Item> {
  const iterator = items[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const current = await next;
      if (current.done === true) return;
      next = iterator.next();
      yield current.value;
    }
  } finally {
    // Whoever stops early does not hear of what was fetched ahead, nor of its failure.
    await Promise.allSettled([next]);
    await iterator.return?.();
  }
}
