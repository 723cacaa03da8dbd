/** Password hashes: scrypt (RFC 7914) by node:crypto, with a bound on how many are computed at once. */
import { randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { AppError } from '../errors.ts';
import {
  passwordHashesActiveMax,
  passwordHashesWaitingMax,
  scryptBlockSize,
  scryptCost,
  scryptParallelization,
} from './limits.ts';

/** Keeps its parameters, so that they can be raised without locking anybody out. Salt and key in base64. */
export const passwordHashSchema = Type.Object({
  cost: Type.Integer(),
  blockSize: Type.Integer(),
  parallelization: Type.Integer(),
  salt: Type.String(),
  key: Type.String(),
});
export type PasswordHash = Static<typeof passwordHashSchema>;

const saltBytes = 16;
const keyBytes = 32;

export class PasswordHasher {
  #active = 0;
  readonly #waiting: (() => void)[] = [];
  /** Compared with when there is no account, so that its absence takes as long as a wrong password. */
  #absent: PasswordHash | undefined;

  /** @throws AppError BUSY when too many wait. */
  async hash(password: string): Promise<PasswordHash> {
    const salt = randomBytes(saltBytes);
    const parameters = {
      cost: scryptCost,
      blockSize: scryptBlockSize,
      parallelization: scryptParallelization,
    };
    const key = await this.#derive(password, salt, parameters);
    return { ...parameters, salt: salt.toString('base64'), key: key.toString('base64') };
  }

  /** Always computes a hash: an absent account answers as slowly as a wrong password. @throws AppError BUSY. */
  async matches(password: string, hash: PasswordHash | undefined): Promise<boolean> {
    this.#absent ??= await this.hash(randomBytes(keyBytes).toString('hex'));
    const compared = hash ?? this.#absent;
    const expected = Buffer.from(compared.key, 'base64');
    const derived = await this.#derive(password, Buffer.from(compared.salt, 'base64'), compared);
    return timingSafeEqual(derived, expected) && hash !== undefined;
  }

  /** RFC 8265 would prepare more; NFKC is what keeps one password the same on every keyboard. */
  async #derive(
    password: string,
    salt: Buffer,
    parameters: Omit<PasswordHash, 'salt' | 'key'>,
  ): Promise<Buffer> {
    const { cost, blockSize, parallelization } = parameters;
    // OpenSSL needs 128·r·(N + p + 2) bytes; Node refuses above maxmem.
    const maxmem = 128 * blockSize * (cost + parallelization + 2);
    await this.#enter();
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        const options = { cost, blockSize, parallelization, maxmem };
        scrypt(password.normalize('NFKC'), salt, keyBytes, options, (error, key) => {
          if (error === null) resolve(key);
          else reject(error);
        });
      });
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#active < passwordHashesActiveMax) {
      this.#active += 1;
      return;
    }
    if (this.#waiting.length >= passwordHashesWaitingMax) {
      throw new AppError('BUSY', 'too many logins at once');
    }
    // Whoever leaves hands over its place, so that `#active` stays as it is.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#active -= 1;
    else next();
  }
}

/** Without 0, o, 1, l and i: these are read from a screen or a printed record and typed. */
const oneTimeAlphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const oneTimeGroups = 4;
const oneTimeGroupCharacters = 5;

/** 20 characters of 31, 99 bits: like `k7m2p-xw4hc-9tqrd-e3vbn`. */
export function makeOneTimePassword(): string {
  const group = () =>
    Array.from(
      { length: oneTimeGroupCharacters },
      () => oneTimeAlphabet[randomInt(oneTimeAlphabet.length)],
    ).join('');
  return Array.from({ length: oneTimeGroups }, group).join('-');
}
