/** Faults written into the source of the firmware while it is loaded: the simulation must notice each. */
import { registerHooks } from 'node:module';

export interface Mutation {
  readonly name: string;
  /** Path below firmware/src. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Everything that is imported in this thread from now on has the fault. @throws Error on import if the text to change
 * does not stand exactly once in the file.
 */
export function mutate({ file, from, to }: Mutation): void {
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      if (!url.endsWith(`/firmware/src/${file}`)) return loaded;
      const source = Buffer.from((loaded.source ?? '') as Uint8Array).toString();
      if (source.split(from).length !== 2)
        throw new Error(`"${from}" does not stand exactly once in ${file}`);
      return { ...loaded, source: source.replace(from, () => to) };
    },
  });
}
