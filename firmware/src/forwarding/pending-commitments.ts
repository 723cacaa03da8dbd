/** Storage commitments that destinations were asked for and have not answered; on disk before they are asked. */
import { randomUUID } from 'node:crypto';
import { decodeIfCanonical, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { KeyValueStore } from '../ports.ts';

export interface PendingCommitment {
  readonly transactionUid: string;
  readonly destination: string;
  readonly studyRef: string;
  /** Places of the objects in their study. */
  readonly indices: readonly number[];
  /** UTC milliseconds. */
  readonly askedAt: number;
}

const prefix = 'forwarding/commitment/';

export class PendingCommitments {
  readonly #store: KeyValueStore;
  readonly #pending = new Map<string, PendingCommitment>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#store.list(prefix)) {
      const pending = decodePending(key.slice(prefix.length), value);
      this.#pending.set(pending.transactionUid, pending);
    }
  }

  get(transactionUid: string): PendingCommitment | undefined {
    return this.#pending.get(transactionUid);
  }

  /** Of one destination. */
  of(destination: string): readonly PendingCommitment[] {
    return [...this.#pending.values()].filter((pending) => pending.destination === destination);
  }

  /** Under a UID of its own, which nobody can guess; on disk when it resolves. @throws AppError STORE_FAILED. */
  async add(described: Omit<PendingCommitment, 'transactionUid'>): Promise<PendingCommitment> {
    // A UUID, as PS3.5 B.2 has it; 122 bits of it are random.
    const transactionUid = `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
    const value = encodePending(described);
    await this.#store.write([{ put: prefix + transactionUid, value }]);
    const pending = { ...described, transactionUid };
    this.#pending.set(transactionUid, pending);
    return pending;
  }

  /** @throws AppError STORE_FAILED. */
  async remove({ transactionUid }: PendingCommitment): Promise<void> {
    await this.#store.write([{ delete: prefix + transactionUid }]);
    this.#pending.delete(transactionUid);
  }
}

export function encodePending({
  destination,
  studyRef,
  indices,
  askedAt,
}: Omit<PendingCommitment, 'transactionUid'>): Uint8Array {
  return encodeCanonical({ destination, studyRef, indices: [...indices], askedAt });
}

/** @throws AppError STORE_CORRUPT. */
export function decodePending(transactionUid: string, bytes: Uint8Array): PendingCommitment {
  const map = mapWith(decodeIfCanonical(bytes), ['destination', 'studyRef', 'indices', 'askedAt']);
  const { destination, studyRef, indices, askedAt } = map ?? {};
  const max = Number.MAX_SAFE_INTEGER;
  if (!isText(destination, 64) || !isText(studyRef, 64) || !isList(indices) || !isCount(askedAt, max))
    throw corrupt();
  const places = indices.map((index) => {
    if (!isCount(index, max)) throw corrupt();
    return index;
  });
  return { transactionUid, destination, studyRef, indices: places, askedAt };
}

const corrupt = (): AppError => new AppError('STORE_CORRUPT', 'A storage commitment that waits is damaged.');
