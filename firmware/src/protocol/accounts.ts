/**
 * A wallet's account at one institution (PROTOCOL.md, "Wallet and one-time owner keys"):
 * a = LE(HKDF-SHA-512(seed, "spend" ‖ I, 64)) mod L, S = aB; v = HKDF-SHA-256(seed, "view" ‖ I, 32), V = X25519(v, 9).
 * Boxes have one too: grants are addressed to an institution's account at itself.
 *
 * The private spend scalar never leaves this file: with one scalar k of a study and the tweak that the source knows,
 * anyone could compute it. What leaves are signers, closed over it.
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import {
  baseTimes,
  groupOrder,
  scalarFromWideBytes,
  signatureRandomBytes,
  signWithScalar,
} from './edwards25519.ts';
import { verifyEd25519 } from './webcrypto-ed25519.ts';

/** A signing key whose scalar cannot be read. */
export interface ScalarSigner {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Ed25519 (RFC 8032) over the message, 64 bytes; verified by the platform before it is returned. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface Account {
  /** I: the institution at which the account is held. */
  readonly institution: string;
  /** S (edwards25519) and the signer of addresses and mailbox proofs. */
  readonly spend: ScalarSigner;
  /** V: X25519, 32 bytes. */
  readonly view: Uint8Array;
  /** v: opens what is addressed to the account, signs nothing. Secret. */
  readonly viewKey: Uint8Array;
  /** The signer with k = a + t mod L, whose key is S + tB; undefined if k is 0. */
  tweakedSigner(tweak: bigint): ScalarSigner | undefined;
}

export const seedBytes = 32;

const noSalt = new Uint8Array(0);

function scalarSigner(scalar: bigint): ScalarSigner {
  const publicKey = baseTimes(scalar).toBytes();
  return Object.freeze({
    publicKey,
    async sign(message: Uint8Array): Promise<Uint8Array> {
      const random = crypto.getRandomValues(new Uint8Array(signatureRandomBytes));
      const signature = signWithScalar(scalar, random, message);
      // A miscomputed signature can give the key away (fault attacks), so none leaves unverified.
      if (!(await verifyEd25519(publicKey, message, signature))) {
        throw new Error('a signature that was just made does not verify');
      }
      return signature;
    },
  });
}

/** @throws RangeError if the seed has not 32 bytes. */
export function deriveAccount(seed: Uint8Array, institution: string): Account {
  if (seed.length !== seedBytes) throw new RangeError('a seed has 32 bytes');
  const context = (label: string) => concatBytes(utf8(label), lengthPrefixed(utf8(institution)));
  const scalar = scalarFromWideBytes(hkdf(sha512, seed, noSalt, context('spend'), 64));
  if (scalar === 0n) throw new RangeError('this seed has no account here; take another');
  const viewKey = hkdf(sha256, seed, noSalt, context('view'), 32);
  return Object.freeze({
    institution,
    spend: scalarSigner(scalar),
    view: x25519.getPublicKey(viewKey),
    viewKey,
    tweakedSigner(tweak: bigint): ScalarSigner | undefined {
      const tweaked = (scalar + tweak) % groupOrder;
      return tweaked === 0n ? undefined : scalarSigner(tweaked);
    },
  });
}
