/** Whether an institution may have these keys: certified by its identity key, safe, its own and nobody else's. */
import { concatBytes, lengthPrefixed, u64, utf8 } from '../../encoding/bytes.ts';
import { domainPrefix } from '../../encoding/hash.ts';
import type { ExtraWork } from '../block-work.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import type { RuleReason } from '../refusals.ts';
import type { RuleContext } from '../rule.ts';
import type { LedgerSnapshot } from '../state.ts';
import { verifyIdentitySignature } from './identity-signature.ts';
import type { CertifiedKeys, Institution } from './institution-record.ts';
import { areTaken, exclusiveKeys, exclusiveKeysCount } from './key-holders.ts';
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
 * What it costs to judge new keys and to take them over: three proofs, a certificate, the order of those three keys, of
 * the account's and the root's, and the records of whose the keys were and are.
 */
export function newKeysWork(root?: KeyQuorum): Required<Omit<ExtraWork, 'entries'>> {
  return {
    signatures: 3,
    identitySignatures: 1,
    keys: 4 + (root?.keys.length ?? 0),
    records: 2 * exclusiveKeysCount,
  };
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
  if (new Set(own).size < own.length || areTaken(state, id, keys)) return 'key-in-use';
  const points = [keys.voting, keys.transaction, keys.transport, account.spend, ...root.keys];
  if (!points.every(isPrimeOrderKey)) return 'bad-key';
  if (!possesses(state.chain, id, keys, before, verify)) return 'bad-possession';
  return verifyIdentitySignature(keys.identity, keysMessage(id, keys), keys.certificate)
    ? undefined
    : 'bad-certificate';
}
