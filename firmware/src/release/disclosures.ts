/**
 * Who was sent what, when and on which basis; who was refused, and the true ground. Kept for good: each disclosure can
 * be told to the patient. It says nothing to the asker.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import type { StudyId } from '../ledger/types.ts';
import type { Clock, InstitutionId, KeyValueStore, Unsubscribe } from '../ports.ts';
import { disclosuresListedMax } from './limits.ts';

export interface Disclosure {
  readonly id: string;
  /** `out`: this box was asked. `in`: it asked. */
  readonly direction: 'out' | 'in';
  readonly at: number;
  readonly institution: InstitutionId;
  readonly studyId: StudyId | null;
  readonly outcome: 'running' | 'released' | 'refused' | 'failed';
  /** Basis of a release, ground of a refusal, cause of a failure. */
  readonly reason: string;
  readonly objects: number;
  readonly bytes: number;
}

const prefix = 'disclosure/';

export class Disclosures {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  readonly #byId = new Map<string, Disclosure>();
  readonly #listeners = new Set<() => void>();

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    for await (const [, value] of this.#store.list(prefix)) {
      const disclosure = decodeCanonical(value) as unknown as Disclosure;
      this.#remember(
        // Whatever ran when the box stopped does not run any more.
        disclosure.outcome === 'running'
          ? { ...disclosure, outcome: 'failed', reason: 'the box was stopped' }
          : disclosure,
      );
    }
  }

  /** Newest first. */
  list(): readonly Disclosure[] {
    return [...this.#byId.values()].reverse();
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async record(entry: Omit<Disclosure, 'id' | 'at'>): Promise<Disclosure> {
    const at = this.#clock.now();
    // Ordered by time in the store, and unique.
    const id = `${at.toString().padStart(15, '0')}-${toHex(randomBytes(4))}`;
    return this.#write({ ...entry, id, at });
  }

  async update(disclosure: Disclosure, change: Partial<Omit<Disclosure, 'id' | 'at'>>): Promise<Disclosure> {
    return this.#write({ ...disclosure, ...change });
  }

  async #write(disclosure: Disclosure): Promise<Disclosure> {
    const value = encodeCanonical(disclosure as unknown as CborValue);
    await this.#store.write([{ put: prefix + disclosure.id, value }]);
    this.#remember(disclosure);
    for (const listener of this.#listeners) listener();
    return disclosure;
  }

  #remember(disclosure: Disclosure): void {
    this.#byId.set(disclosure.id, disclosure);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > disclosuresListedMax && oldest !== undefined) this.#byId.delete(oldest);
  }
}
