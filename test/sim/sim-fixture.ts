/**
 * The consortium of the test fixture with signatures that cost a hash: a simulated second has thousands of them. Whoever
 * knows a public key could make them; the simulation's liars do not. Some seeds run with the real ones.
 */
import { createHash } from 'node:crypto';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import type { Signer, VerifySignature } from '../../firmware/src/ports.ts';
import type { Box } from '../fakes/ledger.ts';
import { LedgerFixture, verifySignature } from '../fakes/ledger.ts';

export interface Signatures {
  readonly signerOf: (real: Signer) => Signer;
  readonly verify: VerifySignature;
}

/** Ed25519. */
export const realSignatures: Signatures = { signerOf: (real) => real, verify: verifySignature };

/** 64 bytes, as Ed25519's. */
function hashed(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(publicKey).update(message).digest());
}

export const hashedSignatures: Signatures = {
  signerOf: ({ publicKey }) => ({ publicKey, sign: (message) => hashed(publicKey, message) }),
  verify: (publicKey, message, signature) => equalBytes(hashed(publicKey, message), signature),
};

const fixtures = new Map<string, SimFixture>();

/** One for all worlds of these members: making a consortium's keys takes longer than a simulated minute. */
export function fixtureOf(ids: readonly string[], signatures: Signatures): SimFixture {
  const key = `${signatures === realSignatures} ${ids.join(' ')}`;
  const fixture = fixtures.get(key) ?? new SimFixture(ids, signatures);
  fixtures.set(key, fixture);
  return fixture;
}

export class SimFixture extends LedgerFixture {
  readonly #signatures: Signatures;

  constructor(ids: readonly string[], signatures: Signatures) {
    super(ids);
    this.#signatures = signatures;
  }

  override box(id: string): Box {
    const box = super.box(id);
    const { signerOf } = this.#signatures;
    return { ...box, voting: signerOf(box.voting), transaction: signerOf(box.transaction) };
  }
}
