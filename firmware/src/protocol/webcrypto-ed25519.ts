/** Ed25519 verification by the platform (WebCrypto), which follows the one rule of node:crypto; noble alone never decides. */

/**
 * True if the signature is Ed25519 (RFC 8032) of the message by this key. Keys and signatures of a wrong length or
 * form are false, not faults.
 */
export async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  // Some platforms refuse bytes that encode no point at import, others at verification.
  const key = await crypto.subtle
    .importKey('raw', new Uint8Array(publicKey), 'Ed25519', false, ['verify'])
    .catch((cause: unknown) => {
      if (cause instanceof DOMException && cause.name === 'DataError') return undefined;
      throw cause;
    });
  if (key === undefined) return false;
  return crypto.subtle.verify('Ed25519', key, new Uint8Array(signature), new Uint8Array(message));
}
