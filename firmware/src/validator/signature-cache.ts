import { createHash } from 'node:crypto';
import type { VerifySignature } from '../ports.ts';
import { verifiedSignaturesMax } from './limits.ts';

/**
 * Remembers which signatures were good: each transaction is checked when it comes, when a block is built of it and
 * when the block is executed, and a check costs a hundred times as much as a hash. Bad ones are not remembered.
 */
export function rememberVerified(verify: VerifySignature): VerifySignature {
  const good = new Set<string>();
  return (publicKey, message, signature) => {
    // Key and signature have fixed lengths where verification succeeds, so the parts cannot run into each other.
    const id = createHash('sha256').update(publicKey).update(signature).update(message).digest('base64');
    if (good.has(id)) return true;
    if (publicKey.length !== 32 || signature.length !== 64 || !verify(publicKey, message, signature))
      return false;
    good.add(id);
    if (good.size > verifiedSignaturesMax) {
      // A set keeps the order of insertion: the first is the oldest.
      for (const oldest of good) {
        good.delete(oldest);
        break;
      }
    }
    return true;
  };
}
