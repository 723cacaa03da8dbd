import { equalBytes } from '../encoding/bytes.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { ChainId } from '../ledger/types.ts';
import { protocolNameBytesMax } from './limits.ts';

/**
 * First frame of every stream, from the side that opens it (and back, on a message stream): canonical CBOR
 * `{version, chain, institution, purpose}`. libp2p proves the peer's key, but a dial to a box that refuses us still
 * succeeds for a moment; only a greeting that was accepted counts as a connection. It also keeps consortia apart.
 */

export const greetingVersion = 1;

/** Purpose of the long-lived message stream; every other purpose is the name of a request protocol. */
export const messagePurpose = 'messages';

export interface Greeting {
  readonly chain: ChainId;
  readonly institution: string;
  readonly purpose: string;
}

export function encodeGreeting(greeting: Greeting): Uint8Array {
  return encodeCanonical({
    version: greetingVersion,
    chain: greeting.chain,
    institution: greeting.institution,
    purpose: greeting.purpose,
  });
}

/**
 * The purpose of a stream whose greeting is right.
 * @param expected the chain of this box, and the institution whose transport key the connection has proved.
 * @throws AppError PEER_MISBEHAVED if it is malformed or speaks for another version, chain or institution.
 */
export function checkGreeting(
  bytes: Uint8Array,
  expected: { readonly chain: ChainId; readonly institution: string },
): string {
  const refuse = (what: string, cause?: unknown): AppError =>
    new AppError('PEER_MISBEHAVED', `greeting of ${expected.institution}: ${what}`, { cause });
  let value: unknown;
  try {
    value = decodeCanonical(bytes);
  } catch (cause) {
    throw refuse('not canonical CBOR', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('not a map');
  const { version, chain, institution, purpose, ...others } = value as Record<string, unknown>;
  if (version !== greetingVersion) throw refuse('another protocol version');
  if (Object.keys(others).length > 0) throw refuse('unknown fields');
  if (!(chain instanceof Uint8Array) || !equalBytes(chain, expected.chain)) throw refuse('another ledger');
  if (institution !== expected.institution) throw refuse('another institution than its key');
  if (typeof purpose !== 'string' || purpose.length === 0 || purpose.length > protocolNameBytesMax) {
    throw refuse('no purpose');
  }
  return purpose;
}
