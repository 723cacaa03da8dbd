/** Whether an institution may have these keys: certified by its identity key, safe, its own and nobody else's. */
import { concatBytes, lengthPrefixed, toHex, u64, utf8 } from '../../encoding/bytes.ts';
import { domainPrefix } from '../../encoding/hash.ts';
import type { ExtraWork } from '../block-work.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import type { RuleReason } from '../refusals.ts';
import type { RuleContext } from '../rule.ts';
import type { LedgerSnapshot } from '../state.ts';
import { verifyIdentitySignature } from './identity-signature.ts';
import type { CertifiedKeys, Institution } from './institution-record.ts';
import type { KeyQuorum } from './key-quorum.ts';
import { possesses } from './possession.ts';

/**
 * What an institution's identity key signs to certify its three keys, and the TPM that holds it:
 * domain `keys` ‖ lp(institution id) ‖ voting ‖ transaction ‖ transport ‖ attestation key's Name (34) ‖
 * SHA-256 of the endorsement certificate (32) ‖ u64 expiry.
 */
export function keysMessage(
  institution: string,
  keys: Pick<CertifiedKeys, 'voting' | 'transaction' | 'transport' | 'device' | 'expiry'>,
): Uint8Array {
  return concatBytes(
    domainPrefix('keys'),
    lengthPrefixed(utf8(institution)),
    keys.voting,
    keys.transaction,
    keys.transport,
    keys.device.attestationKey,
    keys.device.endorsement,
    u64(keys.expiry),
  );
}

/**
 * What one institution alone may have: its keys, and the TPM that it named. A box that stood for two members would vote
 * twice, and attest for both.
 */
export function exclusiveKeys({
  voting,
  transaction,
  transport,
  identity,
  device,
}: CertifiedKeys): readonly string[] {
  return [voting, transaction, transport, identity, device.attestationKey, device.endorsement].map(toHex);
}

/** What everybody else has alone: members' and those of the epoch that is being voted in. */
function keysOfOthers(state: LedgerSnapshot, id: string): ReadonlySet<string> {
  const others = new Set<string>();
  for (const member of state.institutions()) {
    if (member.id !== id) for (const key of exclusiveKeys(member.keys)) others.add(key);
  }
  for (const validator of state.epoch().validators) {
    if (validator.id !== id) others.add(toHex(validator.voting));
  }
  return others;
}

/** What `keysRefusal` costs: three proofs, a certificate, the order of those three keys, of the account's and the root's. */
export function newKeysWork(root?: KeyQuorum): ExtraWork {
  return { signatures: 3, identitySignatures: 1, keys: 4 + (root?.keys.length ?? 0) };
}

type KeysReason = Extract<
  RuleReason,
  'institution-keys-expired' | 'bad-key' | 'bad-certificate' | 'bad-possession' | 'key-in-use'
>;

/** Why the institution may not have these keys now, cheapest reason first. `before`: those of its record, if it has one. */
export function keysRefusal(
  state: LedgerSnapshot,
  { id, keys, account, root }: Pick<Institution, 'id' | 'keys' | 'account' | 'root'>,
  { time, verify }: Pick<RuleContext, 'time' | 'verify'>,
  before?: CertifiedKeys,
): KeysReason | undefined {
  if (keys.expiry <= time) return 'institution-keys-expired';
  const own = exclusiveKeys(keys);
  const others = keysOfOthers(state, id);
  if (new Set(own).size < own.length || own.some((key) => others.has(key))) return 'key-in-use';
  const points = [keys.voting, keys.transaction, keys.transport, account.spend, ...root.keys];
  if (!points.every(isPrimeOrderKey)) return 'bad-key';
  if (!possesses(state.chain, id, keys, before, verify)) return 'bad-possession';
  return verifyIdentitySignature(keys.identity, keysMessage(id, keys), keys.certificate)
    ? undefined
    : 'bad-certificate';
}
