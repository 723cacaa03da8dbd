/** What a verifier asks of a device, and keeps until it answers. */
import { makeCredential } from './credential.ts';
import type { Expectation } from './expectation.ts';
import type { ClaimedDevice } from './judge-claim.ts';
import { challengeRandomBytes, credentialSecretBytes, nonceBytes } from './limits.ts';
import type { Challenge } from './messages.ts';

/** One attempt of one device. It serves once. */
export interface Attempt {
  readonly device: ClaimedDevice;
  readonly challenge: Challenge;
  /** What the TPM must give out. */
  readonly secret: Uint8Array;
}

/** @param random `challengeRandomBytes` that nobody can know, never used for another attempt. */
export async function beginAttempt(
  device: ClaimedDevice,
  { chain, verifier, candidate }: Pick<Expectation, 'chain' | 'verifier' | 'candidate'>,
  random: Uint8Array,
): Promise<Attempt> {
  if (random.length !== challengeRandomBytes)
    throw new RangeError(`a challenge takes ${challengeRandomBytes} random bytes`);
  const secretAt = nonceBytes + credentialSecretBytes;
  const nonce = random.slice(0, nonceBytes);
  const secret = random.slice(nonceBytes, secretAt);
  const { blob, seed } = await makeCredential(
    device.endorsementKey,
    device.attestationKey.name,
    secret,
    random.subarray(secretAt),
  );
  return { device, secret, challenge: { type: 'challenge', chain, verifier, candidate, nonce, blob, seed } };
}
