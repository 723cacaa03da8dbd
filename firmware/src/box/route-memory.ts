/**
 * What the box changed about routes, on disk before it is changed: a box that was killed undoes it at its next start.
 * A machine that was started anew has made its routes anew: what is set there now is somebody else's.
 */
import { readFile } from 'node:fs/promises';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { KeyValueStore } from '../ports.ts';
import type { Route } from './ip-route.ts';

export type Family = '-4' | '-6';

/** A route as it was before the option was set on it. */
export interface ChangedRoute {
  readonly family: Family;
  readonly route: Route;
}

interface RouteRecord {
  readonly bootId: string;
  readonly routes: readonly { readonly family: Family; readonly words: readonly string[] }[];
}

const key = 'quickack/routes';

/** One of the kernel's own, another after each start of the machine (random(4)). */
export async function linuxBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

export class RouteMemory {
  readonly #store: KeyValueStore;
  readonly #bootId: () => Promise<string>;

  constructor(store: KeyValueStore, bootId: () => Promise<string>) {
    this.#store = store;
    this.#bootId = bootId;
  }

  /** What was changed since the machine was started and is not known to be undone. @throws AppError STORE_CORRUPT. */
  async load(): Promise<ChangedRoute[]> {
    const value = await this.#store.get(key);
    if (value === undefined) return [];
    const record = decodeCanonical(value) as unknown as RouteRecord;
    if (record.bootId !== (await this.#bootId())) return [];
    return record.routes.map(({ family, words }) => {
      const [prefix = ''] = words;
      return { family, route: { prefix, words, quickack: false } };
    });
  }

  /** On disk when it resolves. @throws AppError STORE_FAILED. */
  async save(changed: readonly ChangedRoute[]): Promise<void> {
    if (changed.length === 0) {
      await this.#store.write([{ delete: key }]);
      return;
    }
    const routes = changed.map(({ family, route: { words } }) => ({ family, words: [...words] }));
    const value = encodeCanonical({ bootId: await this.#bootId(), routes });
    await this.#store.write([{ put: key, value }]);
  }
}
