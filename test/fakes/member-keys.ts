import { p256 } from '@noble/curves/nist.js';
import type { MemberKeys, VotingKeys } from '../../firmware/src/ports.ts';
import { type Box, bytesOf } from './ledger.ts';

/** What a box of the test consortium signs with; `voting` outlives its restarts. */
export function memberKeysOf({ id, transaction }: Box, voting: VotingKeys): MemberKeys {
  const identity = bytesOf(`identity ${id}`);
  return {
    voting,
    transaction,
    identityPublicKey: p256.getPublicKey(identity, false),
    signWithIdentity: (message) => Promise.resolve(p256.sign(message, identity)),
  };
}
