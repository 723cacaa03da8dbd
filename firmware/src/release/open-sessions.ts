/**
 * Opens that this source agreed to: kept before the receipt is sent, so that a stream can be resumed after a restart, and
 * until the receipt is closed or can never be (receipt-watch.ts).
 */
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { toBasisId, toOpenId } from '../ledger/ids.ts';
import type { BasisId, OpenId, StudyId } from '../ledger/types.ts';
import type { InstitutionId, KeyValueStore } from '../ports.ts';

export interface OpenSession {
  readonly openId: Uint8Array;
  readonly grantId: Uint8Array;
  readonly studyId: StudyId;
  readonly institution: InstitutionId;
  /** K_g */
  readonly granteeKey: Uint8Array;
  /** The commitment that is streamed. */
  readonly head: Uint8Array;
  /** Block time after which the receipt can become final no more, UTC milliseconds. */
  readonly validUntil: number;
  /** Whether anything may have left under it. */
  readonly streamed: boolean;
}

const prefix = 'open/';

export class OpenSessions {
  readonly #store: KeyValueStore;
  readonly #sessions = new Map<OpenId, OpenSession>();
  readonly #lastOf = new Map<BasisId, OpenSession>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<void> {
    for await (const [, value] of this.#store.list(prefix)) {
      const session = decodeCanonical(value) as unknown as OpenSession;
      const basis = toBasisId(session.grantId);
      this.#sessions.set(toOpenId(session.openId), session);
      // They come in the order of their identifiers. A later one is signed when the earlier can be final no more.
      if (session.validUntil >= (this.#lastOf.get(basis)?.validUntil ?? 0)) this.#lastOf.set(basis, session);
    }
  }

  get(id: OpenId): OpenSession | undefined {
    return this.#sessions.get(id);
  }

  /** The one that was kept last of those under this basis. */
  lastOf(basis: BasisId): OpenSession | undefined {
    return this.#lastOf.get(basis);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** In the order in which they were kept; those that come or go while it runs too. */
  all(): MapIterator<OpenSession> {
    return this.#sessions.values();
  }

  /** A new one, or one that is known as it is now. @throws AppError STORE_FAILED; it is not kept then. */
  async keep(session: OpenSession): Promise<void> {
    const id = toOpenId(session.openId);
    const basis = toBasisId(session.grantId);
    const value = encodeCanonical(session as unknown as CborValue);
    const known = this.#sessions.get(id);
    const last = this.#lastOf.get(basis);
    // From now on, so that of two that come at a time the second finds the first.
    if (known === undefined || known === last) this.#lastOf.set(basis, session);
    try {
      await this.#store.write([{ put: prefix + id, value }]);
    } catch (error) {
      if (this.#lastOf.get(basis) === session) {
        if (last === undefined) this.#lastOf.delete(basis);
        else this.#lastOf.set(basis, last);
      }
      throw error;
    }
    this.#sessions.set(id, session);
  }

  async delete(id: OpenId): Promise<void> {
    await this.#store.write([{ delete: prefix + id }]);
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    if (session === undefined) return;
    const basis = toBasisId(session.grantId);
    if (this.#lastOf.get(basis) === session) this.#lastOf.delete(basis);
  }
}
