/** Which of the keys of one purpose a box works with. */
import type { DeviceKeys, HeldKeys, MemberKeys, Signer } from '../ports.ts';

/** The newest; the first one, if the box has none yet. @throws AppError as HeldKeys.make. */
export async function newestKey<Key extends Signer>(keys: HeldKeys<Key>): Promise<Key> {
  const publicKey = keys.held().at(-1) ?? (await keys.make());
  const signer = keys.signer(publicKey);
  if (signer === undefined) throw new Error('a key that is held does not sign');
  return signer;
}

/** What the validator signs with, given the key for the institution's transactions. */
export function memberKeys(keys: DeviceKeys, transaction: Signer): MemberKeys {
  const { voting, starts, identityPublicKey } = keys;
  return {
    voting,
    starts,
    identityPublicKey,
    signWithIdentity: (message) => keys.signWithIdentity(message),
    transaction,
  };
}
