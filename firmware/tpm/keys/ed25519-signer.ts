import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { concatBytes, fromHex } from '../../src/encoding/bytes.ts';
import type { Signer } from '../../src/ports.ts';

/** RFC 8410, section 7: PrivateKeyInfo of an Ed25519 key up to its 32-byte seed. */
const privateKeyPrefix = fromHex('302e020100300506032b657004220420');

const publicKeyBytes = 32;

/** Ed25519 (RFC 8032) with the key of this seed, 32 bytes. */
export function ed25519Signer(seed: Uint8Array): Signer {
  const key = createPrivateKey({
    key: Buffer.from(concatBytes(privateKeyPrefix, seed)),
    format: 'der',
    type: 'pkcs8',
  });
  // The public key ends its SubjectPublicKeyInfo (RFC 8410, section 4).
  const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' })).slice(
    -publicKeyBytes,
  );
  return { publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
}
