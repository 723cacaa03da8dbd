/** A wallet in memory, bound at hospitals of the test consortium. */
import assert from 'node:assert/strict';
import { AppError, type ErrorCode } from '../../firmware/src/errors.ts';
import { Wallet } from '../../firmware/wallet/wallet.ts';
import type { Refusal } from '../../firmware/wallet/wallet-answers.ts';
import type { WalletStore } from '../../firmware/wallet/wallet-ports.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';

export class MemoryStore implements WalletStore {
  bytes: Uint8Array | undefined;
  saves = 0;

  load(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.bytes);
  }

  save(bytes: Uint8Array): Promise<void> {
    this.bytes = bytes;
    this.saves++;
    return Promise.resolve();
  }
}

export async function setUpWallet(...hospitals: readonly string[]) {
  const consortium = new WalletConsortium();
  const store = new MemoryStore();
  const modules = { store, transport: consortium, clock: consortium.clock };
  const wallet = await Wallet.create(modules);
  for (const hospital of hospitals) {
    assert.deepEqual(await wallet.bind(consortium.ticket(hospital)), {
      kind: 'bound',
      institution: hospital,
    });
  }
  return { consortium, store, modules, wallet };
}

export const refusedBy = (by: Refusal['by'], reason: string) => ({ kind: 'refused', by, reason });

export function withCode(code: ErrorCode) {
  return (error: unknown) => error instanceof AppError && error.code === code;
}

export const wish = { grantee: 'south', days: 7, purpose: 'Second opinion' } as const;
