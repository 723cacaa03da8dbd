/** The wallet in one file of its owner's (mode 0600), replaced atomically. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { WalletStore } from '../../firmware/wallet/wallet-ports.ts';

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

export class FileStore implements WalletStore {
  readonly #path: string;
  /** What the file held when it was read or written last; another program's changes are not overwritten. */
  #seen: Uint8Array | undefined;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  async load(): Promise<Uint8Array | undefined> {
    this.#seen = await this.#read();
    return this.#seen;
  }

  async save(bytes: Uint8Array): Promise<void> {
    const current = await this.#read();
    const unchanged =
      current === undefined || this.#seen === undefined
        ? current === this.#seen
        : equalBytes(current, this.#seen);
    if (!unchanged) {
      throw new AppError('WALLET_NOT_SAVED', `Another program has changed the wallet file ${this.#path}.`);
    }
    const fresh = `${this.#path}.${randomBytes(6).toString('hex')}.new`;
    try {
      await writeDurably(fresh, bytes);
      await rename(fresh, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (cause) {
      await rm(fresh, { force: true });
      throw new AppError('WALLET_NOT_SAVED', `The wallet file ${this.#path} cannot be written.`, { cause });
    }
    this.#seen = bytes;
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      const { mode } = await stat(this.#path);
      if ((mode & 0o077) !== 0) {
        throw new AppError(
          'WALLET_UNREADABLE',
          `The wallet file ${this.#path} is open to other users; allow its owner alone (chmod 600).`,
        );
      }
      return new Uint8Array(await readFile(this.#path));
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      if (isMissing(cause)) return undefined;
      throw new AppError('WALLET_UNREADABLE', `The wallet file ${this.#path} cannot be read.`, { cause });
    }
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
