/** Requests of one life of a process: one that was killed gets no answer, and what it asks for then does not happen. */
export type Lifeline = <Result>(request: () => Promise<Result>) => Promise<Result>;

/** `aboutTo` hears of each request before and after it, and may end that life. */
export function lifeline(life: AbortSignal, aboutTo: () => void): Lifeline {
  // One a life: whatever waits for it would be kept with it.
  const never = new Promise<never>(() => undefined);
  return async (request) => {
    if (life.aborted) return never;
    aboutTo();
    if (life.aborted) return never;
    const result = await request();
    if (life.aborted) return never;
    aboutTo();
    return life.aborted ? never : result;
  };
}
