/** A box's keys without a TPM, for unit tests only: from fixed seeds, so that two of one institution are the same. */
import { p256 } from '@noble/curves/nist.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { domainPrefix, sha256 } from '../../firmware/src/encoding/hash.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { DeviceKeys, Signer, StartCounter, VotingKeys } from '../../firmware/src/ports.ts';
import { MemoryStartCounter, MemoryVotingKeys } from './voting-keys.ts';

function signerOf(seed: Uint8Array): Signer {
  return { publicKey: ed25519.getPublicKey(seed), sign: (message) => ed25519.sign(message, seed) };
}

export class FakeDeviceKeys implements DeviceKeys {
  readonly identityPublicKey: Uint8Array;
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  readonly transaction: Signer;
  readonly transport: Signer & { readonly seed: Uint8Array };
  readonly boxKey: Uint8Array;
  readonly accountSeed: Uint8Array;
  readonly #identitySecret: Uint8Array;

  /** `starts` outlives a restart. */
  constructor(institutionId: string, starts: StartCounter = new MemoryStartCounter()) {
    this.starts = starts;
    const seed = (purpose: string): Uint8Array =>
      sha256(concatBytes(domainPrefix('keys'), utf8(`fake ${institutionId} ${purpose}`)));
    this.#identitySecret = seed('identity');
    this.identityPublicKey = p256.getPublicKey(this.#identitySecret, false);
    this.voting = new MemoryVotingKeys(institutionId, signerOf(seed('voting')));
    this.transaction = signerOf(seed('transaction'));
    this.transport = { ...signerOf(seed('transport')), seed: seed('transport') };
    this.boxKey = seed('box');
    this.accountSeed = seed('account');
  }

  signWithIdentity(message: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(p256.sign(sha256(message), this.#identitySecret, { prehash: false, lowS: true }));
  }
}
