import { p256 } from '@noble/curves/nist.js';
import type { MemberKeys, StartCounter, VotingKeys } from '../../firmware/src/ports.ts';
import { type Box, bytesOf } from './ledger.ts';
import { MemoryStartCounter } from './voting-keys.ts';

/** What a box of the test consortium signs with; `voting` and `starts` outlive its restarts. */
export function memberKeysOf(
  { id, transaction }: Box,
  voting: VotingKeys,
  starts: StartCounter = new MemoryStartCounter(),
): MemberKeys {
  const identity = bytesOf(`identity ${id}`);
  return {
    voting,
    starts,
    transaction,
    identityPublicKey: p256.getPublicKey(identity, false),
    signWithIdentity: (message) => Promise.resolve(p256.sign(message, identity)),
  };
}
