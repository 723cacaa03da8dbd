/** An endorsement key as WebCrypto has it: to encrypt to it, and to compare it with what a certificate says. */
import type { EndorsementKey } from './public-area.ts';

export type RsaEndorsementKey = EndorsementKey & { readonly kind: 'rsa' };

/** What WebCrypto calls CryptoKey, a name that Node's types do not know. */
type WebKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

function base64url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Big-endian without leading zeros. */
function integerBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Uint8Array.from(bytes);
}

/** @throws DOMException if these are no numbers of an RSA key. */
export function importRsa({ modulus, exponent, hash }: RsaEndorsementKey): Promise<WebKey> {
  return crypto.subtle.importKey(
    'jwk',
    { kty: 'RSA', n: base64url(modulus), e: base64url(integerBytes(exponent)) },
    { name: 'RSA-OAEP', hash },
    true,
    ['encrypt'],
  );
}

/**
 * DER of the SubjectPublicKeyInfo (RFC 5280, 4.1.2.7; RFC 5480; RFC 3279, 2.3.1).
 * @throws DOMException if it is no point of its curve, or no RSA key.
 */
export async function subjectPublicKeyInfo(key: EndorsementKey): Promise<Uint8Array> {
  const imported =
    key.kind === 'rsa'
      ? await importRsa(key)
      : await crypto.subtle.importKey(
          'raw',
          new Uint8Array(key.point),
          { name: 'ECDH', namedCurve: key.curve },
          true,
          [],
        );
  return new Uint8Array(await crypto.subtle.exportKey('spki', imported));
}
