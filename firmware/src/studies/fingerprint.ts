/**
 * Tells whether two instances of one SOP Instance UID are the same bytes. The leaves of the commitment serve for it,
 * which are there anyway; they are keyed, so those of the newer one are also computed under the key of the older, and
 * only where there is an older one. A digest of its own would cost every object another pass.
 */
import { equalBytes, toHex } from '../encoding/bytes.ts';
import type { SealedObject } from '../ports.ts';
import { sameUidComparedMax } from './limits.ts';
import type { ObjectKept } from './manifest.ts';

/** One instance on its way in: its leaves under its own key, and under those of the instances it is compared with. */
export class Fingerprint {
  readonly key: Uint8Array;
  /** Its own and those of the others, each once: under all of them its leaves are to be computed. */
  readonly keys: readonly Uint8Array[];
  readonly #leaves = new Map<string, Uint8Array>();
  /** Of its UID too, and begun after it: they hash their bytes under this one's key. */
  readonly #later: Fingerprint[] = [];
  #length = 0;

  private constructor(key: Uint8Array, others: readonly Uint8Array[]) {
    this.key = key;
    this.keys = [key, ...others.filter((other) => !equalBytes(other, key))];
  }

  /** `held`, `underWay`: all of its UID. Of many that are held, the latest are compared. */
  static begin(key: Uint8Array, held: readonly ObjectKept[], underWay: readonly Fingerprint[]): Fingerprint {
    const latest = held.slice(-sameUidComparedMax).map(({ instanceKey }) => instanceKey);
    const met = underWay.slice(-sameUidComparedMax);
    const fingerprint = new Fingerprint(key, [...latest, ...met.map((other) => other.key)]);
    for (const other of met) other.#later.push(fingerprint);
    return fingerprint;
  }

  /** All of it has come: its leaves under each of the keys. Returns those under its own key. */
  end({ length, leaves }: Pick<SealedObject, 'length' | 'leaves'>): Uint8Array {
    this.#length = length;
    for (const [index, key] of this.keys.entries())
      this.#leaves.set(toHex(key), leaves[index] ?? missing(index));
    return this.#leavesUnder(this.key);
  }

  /** After `end`, of an object of its UID. */
  isOf({ instanceKey, leaves, length }: Pick<ObjectKept, 'instanceKey' | 'leaves' | 'length'>): boolean {
    if (length !== this.#length) return false;
    const own = this.#leaves.get(toHex(instanceKey));
    if (own !== undefined) return equalBytes(own, leaves);
    // It came later and was kept sooner.
    const later = this.#later.find(({ key }) => equalBytes(key, instanceKey));
    return later !== undefined && equalBytes(later.#leavesUnder(this.key), this.#leavesUnder(this.key));
  }

  #leavesUnder(key: Uint8Array): Uint8Array {
    return this.#leaves.get(toHex(key)) ?? new Uint8Array(0);
  }
}

function missing(index: number): never {
  throw new Error(`no leaves were computed under key ${index}`);
}

/** The instances of one study that are on their way in, by SOP Instance UID. */
export class FingerprintsUnderWay {
  readonly #byInstance = new Map<string, Fingerprint[]>();

  of(sopInstanceUid: string): readonly Fingerprint[] {
    return this.#byInstance.get(sopInstanceUid) ?? [];
  }

  add(sopInstanceUid: string, fingerprint: Fingerprint): void {
    this.#byInstance.set(sopInstanceUid, [...this.of(sopInstanceUid), fingerprint]);
  }

  remove(sopInstanceUid: string, fingerprint: Fingerprint): void {
    const left = this.of(sopInstanceUid).filter((each) => each !== fingerprint);
    if (left.length === 0) this.#byInstance.delete(sopInstanceUid);
    else this.#byInstance.set(sopInstanceUid, left);
  }
}
