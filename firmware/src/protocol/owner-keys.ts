/** One-time keys of studies and grants: made from an account's public keys, recognised and used by its holder. */
import { x25519 } from '@noble/curves/ed25519.js';
import { equalBytes } from '../encoding/bytes.ts';
import type { Account, ScalarSigner } from './accounts.ts';
import { baseTimes, encodeScalar, readPublicKey } from './edwards25519.ts';
import { agree, deriveTag, deriveTweak, extractKey } from './one-time-keys.ts';

/** An account's public keys and what the one-time key is bound to. */
export interface OneTimeRecipient {
  readonly chain: Uint8Array;
  /** Where the account is held: the source for a study, the grantee for a grant. */
  readonly institution: string;
  /** S */
  readonly spend: Uint8Array;
  /** V */
  readonly view: Uint8Array;
  /** i: index in the batch; 0 for a grant. */
  readonly index: number;
}

export interface RegisteredOwner {
  /** R: the same for all entries of a batch. */
  readonly ephemeral: Uint8Array;
  /** Secret: the source keeps it sealed until the study is closed, since amendments need it; erasure destroys it. */
  readonly prk: Uint8Array;
  /** K */
  readonly ownerKey: Uint8Array;
  readonly tag: number;
}

/** Public half of a batch's ephemeral key: R = X25519(r, 9). */
export function ephemeralPublicKey(r: Uint8Array): Uint8Array {
  return x25519.getPublicKey(r);
}

/** Why these are not the public keys of an account, or undefined if they are. */
export function accountKeysRefusal(
  spend: Uint8Array,
  view: Uint8Array,
): 'spend-key' | 'view-key' | undefined {
  if (readPublicKey(spend) === undefined) return 'spend-key';
  // Any clamped scalar is a multiple of the cofactor, so one of them shows whether the agreement can be other than zero.
  if (view.length !== 32 || agree(new Uint8Array(32), view) === undefined) return 'view-key';
  return undefined;
}

/**
 * The one-time key for an account. `r`: 32 fresh random bytes for the batch, which the caller erases after it.
 * @throws RangeError if the account's keys are refused (`accountKeysRefusal`) or the derived key is the identity.
 */
export function registerOwner(recipient: OneTimeRecipient, r: Uint8Array): RegisteredOwner {
  const spendPoint = readPublicKey(recipient.spend);
  if (spendPoint === undefined) throw new RangeError('spend key refused');
  const shared = agree(r, recipient.view);
  if (shared === undefined) throw new RangeError('view key refused');
  const ephemeral = ephemeralPublicKey(r);
  const prk = extractKey(shared, { ...recipient, ephemeral });
  const owner = spendPoint.add(baseTimes(deriveTweak(prk, recipient.index)));
  if (owner.is0()) throw new RangeError('the derived key is the identity');
  return { ephemeral, prk, ownerKey: owner.toBytes(), tag: deriveTag(prk, recipient.index) };
}

/** What the ledger or a mailbox shows of a one-time key. */
export interface OneTimeKey {
  readonly chain: Uint8Array;
  /** R */
  readonly ephemeral: Uint8Array;
  /** i */
  readonly index: number;
  readonly tag: number;
  /** K as it stands on the ledger. */
  readonly ownerKey: Uint8Array;
}

export interface RecognisedKey {
  readonly signer: ScalarSigner;
  readonly prk: Uint8Array;
  /** t, little-endian, 32 bytes. For a grant the grantee shows it to the source. */
  readonly tweak: Uint8Array;
}

/** The means to use a one-time key, or undefined if it was not made for this account. One X25519 for most others' keys. */
export function recogniseOneTime(account: Account, key: OneTimeKey): RecognisedKey | undefined {
  const shared = agree(account.viewKey, key.ephemeral);
  if (shared === undefined) return undefined;
  const prk = extractKey(shared, {
    chain: key.chain,
    institution: account.institution,
    ephemeral: key.ephemeral,
    view: account.view,
    spend: account.spend.publicKey,
  });
  if (deriveTag(prk, key.index) !== key.tag) return undefined;
  const tweak = deriveTweak(prk, key.index);
  const signer = account.tweakedSigner(tweak);
  if (signer === undefined || !equalBytes(signer.publicKey, key.ownerKey)) return undefined;
  return { signer, prk, tweak: encodeScalar(tweak) };
}
