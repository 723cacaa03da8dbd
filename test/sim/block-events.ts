/** What a world hears of a box's block log. */

export interface BlockEvents {
  /** These are on disk, and nothing has followed from it yet. False: the box ends here, and gets no answer. */
  readonly written: (records: readonly Uint8Array[]) => boolean;
  /** Blocks below this height are about to be dropped. */
  readonly drops: (height: number) => void;
}

/** What a process waits for that has ended. A new one each time: whatever waits for it is kept with it. */
export function noAnswer(): Promise<never> {
  return new Promise<never>(() => undefined);
}
