/** ECDSA P-256 verification by the platform (WebCrypto): signatures of TPM identity keys, as a light client meets them. */

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/**
 * True if the signature (r ‖ s, 64 bytes) is ECDSA with SHA-256 of the message by this key, an uncompressed point of 65
 * bytes (SEC 1). Keys and signatures of a wrong length or form are false, not faults.
 */
export async function verifyP256(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false;
  // A point off the curve is no key: an answer, not a fault.
  const key = await crypto.subtle
    .importKey('raw', new Uint8Array(publicKey), algorithm, false, ['verify'])
    .catch((cause: unknown) => {
      if (cause instanceof DOMException && cause.name === 'DataError') return undefined;
      throw cause;
    });
  if (key === undefined) return false;
  return crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-256' },
    key,
    new Uint8Array(signature),
    new Uint8Array(message),
  );
}
