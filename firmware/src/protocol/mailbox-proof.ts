/** What the holder of an account signs to read its mailbox: the source's challenge, bound to chain, place and account. */
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import { domainPrefix } from '../encoding/hash.ts';
import { nonceBytes } from './limits.ts';

export interface MailboxChallenge {
  readonly chain: Uint8Array;
  readonly institution: string;
  /** S */
  readonly spend: Uint8Array;
  readonly nonce: Uint8Array;
}

/** domainPrefix("mailbox") ‖ chain ‖ lp(I) ‖ S ‖ lp(nonce). The source verifies it with S by the one rule. */
export function mailboxMessage(challenge: MailboxChallenge): Uint8Array {
  const { chain, institution, spend, nonce } = challenge;
  if (chain.length !== 32 || spend.length !== 32) throw new RangeError('chain and spend key have 32 bytes');
  if (nonce.length !== nonceBytes) throw new RangeError(`a nonce has ${nonceBytes} bytes`);
  return concatBytes(
    domainPrefix('mailbox'),
    chain,
    lengthPrefixed(utf8(institution)),
    spend,
    lengthPrefixed(nonce),
  );
}
