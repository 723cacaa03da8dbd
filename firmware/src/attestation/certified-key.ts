/** Whether a certificate speaks of an endorsement key. */
// @peculiar/x509 needs the metadata API to be in place when it is loaded.
import 'reflect-metadata';
import { PublicKey } from '@peculiar/x509';
import { equalBytes } from '../encoding/bytes.ts';
import type { EndorsementKey } from './public-area.ts';
import { subjectPublicKeyInfo } from './web-key.ts';

/**
 * id-RSAES-OAEP (RFC 4055, section 4.1): some vendors name the key by what it is for. WebCrypto knows rsaEncryption alone.
 * Its parameters say nothing here: a TPM takes the hash of the key's Name (TPM 2.0 part 1, B.4).
 */
const oaep = '1.2.840.113549.1.1.7';

/** SHA-256 over the key itself (the BIT STRING), whatever algorithm it is said to be for. */
async function keyBits(key: PublicKey): Promise<Uint8Array> {
  return new Uint8Array(await key.getKeyIdentifier('SHA-256', crypto));
}

/** Undefined where WebCrypto refuses what is no point of its curve, or no RSA key. */
async function infoOf(key: EndorsementKey): Promise<Uint8Array | undefined> {
  try {
    return await subjectPublicKeyInfo(key);
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

/** @param certified DER of the SubjectPublicKeyInfo of a certificate that was read. */
export async function speaksOf(certified: Uint8Array, key: EndorsementKey): Promise<boolean> {
  const own = await infoOf(key);
  if (own === undefined) return false;
  if (equalBytes(certified, own)) return true;
  const told = new PublicKey(new Uint8Array(certified));
  const { name } = told.algorithm as { readonly name: string };
  if (key.kind !== 'rsa' || name !== oaep) return false;
  return equalBytes(await keyBits(told), await keyBits(new PublicKey(new Uint8Array(own))));
}
