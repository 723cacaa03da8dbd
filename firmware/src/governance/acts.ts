/** Which account of this box proposed, and voted for or against, a proposal: the ledger knows the institution only. */
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import type { ProposalId } from '../ledger/types.ts';
import type { KeyValueStore } from '../ports.ts';
import { proposalsRememberedMax } from './limits.ts';

export interface Act {
  readonly kind: 'proposed' | 'approved' | 'rejected';
  readonly account: string;
  /** UTC milliseconds. */
  readonly at: number;
}

interface Remembered {
  /** When this box first saw it, UTC milliseconds. */
  readonly seenAt: number;
  readonly acts: readonly Act[];
}

const prefix = 'proposal/';

/** The proposals that this box has seen, with what its people did about them: kept, so that outcomes can be told. */
export class ProposalActs {
  readonly #store: KeyValueStore;
  /** In the order in which they were seen. */
  #byId = new Map<ProposalId, Remembered>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<void> {
    const found: [ProposalId, Remembered][] = [];
    for await (const [key, value] of this.#store.list(prefix)) {
      found.push([key.slice(prefix.length) as ProposalId, decodeCanonical(value) as unknown as Remembered]);
    }
    this.#byId = new Map(found.sort(([, a], [, b]) => a.seenAt - b.seenAt));
  }

  /** In the order in which they were seen. */
  seen(): readonly ProposalId[] {
    return [...this.#byId.keys()];
  }

  of(id: ProposalId): readonly Act[] {
    return this.#byId.get(id)?.acts ?? [];
  }

  /** Once each; beyond `proposalsRememberedMax` the oldest that is not open is forgotten. @throws AppError STORE_FAILED. */
  async saw(ids: readonly ProposalId[], isOpen: (id: ProposalId) => boolean, at: number): Promise<void> {
    for (const id of ids) if (!this.#byId.has(id)) await this.#write(id, { seenAt: at, acts: [] });
    const decided = this.seen().filter((id) => !isOpen(id));
    for (const id of decided.slice(0, Math.max(0, decided.length - proposalsRememberedMax))) {
      await this.#store.write([{ delete: prefix + id }]);
      this.#byId.delete(id);
    }
  }

  /** @throws AppError STORE_FAILED. */
  async note(id: ProposalId, act: Act): Promise<void> {
    const { seenAt, acts } = this.#byId.get(id) ?? { seenAt: act.at, acts: [] };
    await this.#write(id, { seenAt, acts: [...acts, act] });
  }

  async #write(id: ProposalId, remembered: Remembered): Promise<void> {
    const value = encodeCanonical(remembered as unknown as CborValue);
    await this.#store.write([{ put: prefix + id, value }]);
    this.#byId.set(id, remembered);
  }
}
