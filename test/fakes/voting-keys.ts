import { AppError } from '../../firmware/src/errors.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { Signer, StartCounter, VotingKeys } from '../../firmware/src/ports.ts';
import { signerOf } from './ledger.ts';

/** Voting keys in memory. Those that it makes follow from the box's name, so that tests are the same at every run. */
export class MemoryVotingKeys implements VotingKeys {
  readonly #name: string;
  readonly #signers = new Map<string, Signer>();
  #made = 0;

  constructor(name: string, ...signers: readonly Signer[]) {
    this.#name = name;
    for (const signer of signers) this.#keep(signer);
  }

  held(): readonly Uint8Array[] {
    return [...this.#signers.values()].map(({ publicKey }) => publicKey);
  }

  signer(publicKey: Uint8Array): Signer | undefined {
    return this.#signers.get(toHex(publicKey));
  }

  make(): Promise<Uint8Array> {
    return Promise.resolve(this.#keep(signerOf(`${this.#name} voting ${++this.#made}`)));
  }

  keepOnly(publicKeys: readonly Uint8Array[]): Promise<void> {
    const kept = new Set(publicKeys.map(toHex));
    for (const name of this.#signers.keys()) if (!kept.has(name)) this.#signers.delete(name);
    return Promise.resolve();
  }

  #keep(signer: Signer): Uint8Array {
    this.#signers.set(toHex(signer.publicKey), signer);
    return signer.publicKey;
  }
}

/** As a TPM begins it: somewhere. */
export class MemoryStartCounter implements StartCounter {
  count = 7;
  fails = false;

  value(): Promise<number> {
    return this.fails ? Promise.reject(new AppError('TPM_ABSENT', 'no TPM')) : Promise.resolve(this.count);
  }

  advance(): Promise<number> {
    return Promise.resolve(++this.count);
  }
}
