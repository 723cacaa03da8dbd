import { hmacSha256, sha256 } from '#sha256';
import { concatBytes, u16, utf8 } from './bytes.ts';

/** Every domain string that is hashed or signed anywhere in Hilum. A new purpose gets a new one. */
export type Domain =
  | 'study-id'
  | 'study'
  | 'inst'
  | 'genesis'
  | 'block'
  | 'transaction'
  | 'grant'
  | 'referral'
  | 'emergency'
  | 'reassignment'
  | 'attestations'
  | 'attestation'
  | 'attestation-proof'
  | 'key-origin'
  | 'confirmation'
  | 'consent'
  | 'grant-note'
  | 'open'
  | 'terms'
  | 'close'
  | 'proposal'
  | 'vote'
  | 'release-accept'
  | 'handover'
  | 'restart'
  | 'wal'
  | 'study-log'
  | 'address'
  | 'mailbox'
  | 'keys'
  | 'possession'
  | 'plane'
  | 'held'
  | 'recovery-half'
  | 'recovery-key'
  | 'recovery-file'
  | 'rescue-lock';

/** Made once each. */
const prefixes = new Map<Domain, Uint8Array>();

/** The prefix of everything hashed or signed for one purpose: u16 length, then `hilum/<domain>/1`. Not to be changed. */
export function domainPrefix(domain: Domain): Uint8Array {
  const known = prefixes.get(domain);
  if (known !== undefined) return known;
  const text = utf8(`hilum/${domain}/1`);
  const prefix = concatBytes(u16(text.length), text);
  prefixes.set(domain, prefix);
  return prefix;
}

/** H of PROTOCOL.md: SHA-256 with the length-prefixed domain string first. Parts are fixed-length or length-prefixed. */
export function hash(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concatBytes(domainPrefix(domain), ...parts));
}

export { hmacSha256, sha256 };
