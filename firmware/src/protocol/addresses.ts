/**
 * The address that a wallet gives to one institution, for one ticket:
 * u8 version = 1 ‖ chain (32) ‖ lp(I) ‖ S (32) ‖ V (32) ‖ Sig_a (64), where Sig_a is Ed25519 by S over
 * domainPrefix("address") ‖ all before ‖ lp(nonce of the source).
 */
import { concatBytes, equalBytes, lengthPrefixed, u8, utf8 } from '../encoding/bytes.ts';
import { domainPrefix } from '../encoding/hash.ts';
import type { Account } from './accounts.ts';
import { nonceBytes } from './limits.ts';
import { accountKeysRefusal } from './owner-keys.ts';

const version = 1;
const chainEnd = 33;

export interface Address {
  /** S */
  readonly spend: Uint8Array;
  /** V */
  readonly view: Uint8Array;
}

export type AddressRefusal =
  'form' | 'version' | 'chain' | 'institution' | 'spend-key' | 'view-key' | 'signature';

export type ReadAddress =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'refused'; readonly reason: AddressRefusal };

export interface AddressExpectation {
  readonly chain: Uint8Array;
  /** The source's own id. */
  readonly institution: string;
  /** The nonce of the ticket that the address answers. */
  readonly nonce: Uint8Array;
  /** Ed25519 by the one rule (node:crypto's). */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}

function addressHead(chain: Uint8Array, institution: string): Uint8Array {
  if (chain.length !== 32) throw new RangeError('a chain has 32 bytes');
  return concatBytes(u8(version), chain, lengthPrefixed(utf8(institution)));
}

function addressMessage(unsigned: Uint8Array, nonce: Uint8Array): Uint8Array {
  if (nonce.length !== nonceBytes) throw new RangeError(`a nonce has ${nonceBytes} bytes`);
  return concatBytes(domainPrefix('address'), unsigned, lengthPrefixed(nonce));
}

/** The account's address for the ticket with this nonce. */
export async function makeAddress(
  account: Account,
  chain: Uint8Array,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  const head = addressHead(chain, account.institution);
  const unsigned = concatBytes(head, account.spend.publicKey, account.view);
  return concatBytes(unsigned, await account.spend.sign(addressMessage(unsigned, nonce)));
}

/** Reads an address that a wallet presents and checks all of it: for this chain, place and ticket, by its own sound keys. */
export function readAddress(bytes: Uint8Array, expected: AddressExpectation): ReadAddress {
  const head = addressHead(expected.chain, expected.institution);
  const keysEnd = head.length + 64;
  if (bytes.length < chainEnd) return refused('form');
  if (bytes[0] !== version) return refused('version');
  if (!equalBytes(bytes.subarray(1, chainEnd), expected.chain)) return refused('chain');
  if (!equalBytes(bytes.subarray(0, head.length), head)) return refused('institution');
  if (bytes.length !== keysEnd + 64) return refused('form');
  const spend = bytes.slice(head.length, head.length + 32);
  const view = bytes.slice(head.length + 32, keysEnd);
  const keysRefusal = accountKeysRefusal(spend, view);
  if (keysRefusal !== undefined) return refused(keysRefusal);
  const message = addressMessage(bytes.subarray(0, keysEnd), expected.nonce);
  return expected.verify(spend, message, bytes.slice(keysEnd))
    ? { kind: 'address', address: { spend, view } }
    : refused('signature');
}

function refused(reason: AddressRefusal): ReadAddress {
  return { kind: 'refused', reason };
}
