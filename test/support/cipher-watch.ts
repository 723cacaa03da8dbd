/** Looks on at every encryption of this process, so that a test can tell that no (key, nonce) pair served twice. */
import crypto, { type CipherKey } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

export class CipherWatch {
  readonly #original = crypto.createCipheriv;
  readonly #seen = new Set<string>();
  #repeated = 0;

  constructor() {
    const look = (key: unknown, nonce: unknown): void => {
      const pair = `${hexOf(key)} ${hexOf(nonce)}`;
      if (this.#seen.has(pair)) this.#repeated += 1;
      this.#seen.add(pair);
    };
    const original = this.#original;
    crypto.createCipheriv = function (algorithm: string, key: CipherKey, nonce: unknown, ...rest: unknown[]) {
      look(key, nonce);
      return Reflect.apply(original, crypto, [algorithm, key, nonce, ...rest]) as unknown;
    } as typeof original;
    // The modules under test imported it by name.
    syncBuiltinESMExports();
  }

  get encryptions(): number {
    return this.#seen.size + this.#repeated;
  }

  /** How many used a pair again. */
  get repeated(): number {
    return this.#repeated;
  }

  stop(): void {
    crypto.createCipheriv = this.#original;
    syncBuiltinESMExports();
  }
}

function hexOf(bytes: unknown): string {
  if (bytes instanceof crypto.KeyObject) return bytes.export().toString('hex');
  if (bytes instanceof ArrayBuffer) return Buffer.from(bytes).toString('hex');
  if (ArrayBuffer.isView(bytes))
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  throw new TypeError('keys and nonces are bytes');
}
