/** A box's keys without a TPM, for unit tests only: from fixed seeds, so that two of one institution are the same. */
import { p256 } from '@noble/curves/nist.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { domainPrefix, sha256 } from '../../firmware/src/encoding/hash.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type {
  DeviceKeys,
  HeldKeys,
  StartCounter,
  TransportKey,
  VotingKeys,
} from '../../firmware/src/ports.ts';
import { MemoryHeldKeys, MemoryStartCounter } from './voting-keys.ts';

/** All but what needs a TPM: what it proves to others, and which firmware it lets open the keys. */
export type TpmlessKeys = Omit<DeviceKeys, 'attester' | 'firmware'>;

export class FakeDeviceKeys implements TpmlessKeys {
  readonly identityPublicKey: Uint8Array;
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  readonly transaction: HeldKeys;
  readonly transport: HeldKeys<TransportKey>;
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
    const keyOf = (label: string): TransportKey => {
      const secret = seed(label);
      return {
        seed: secret,
        publicKey: ed25519.getPublicKey(secret),
        sign: (message) => ed25519.sign(message, secret),
      };
    };
    const held = (purpose: string): HeldKeys<TransportKey> =>
      new MemoryHeldKeys(purpose, keyOf, keyOf(purpose));
    this.voting = held('voting');
    this.transaction = held('transaction');
    this.transport = held('transport');
    this.boxKey = seed('box');
    this.accountSeed = seed('account');
  }

  signWithIdentity(message: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(p256.sign(sha256(message), this.#identitySecret, { prehash: false, lowS: true }));
  }
}
