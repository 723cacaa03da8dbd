/**
 * An offline key in a file of its custodian's: Ed25519, encrypted under a passphrase (scrypt, AES-256-GCM). It is made,
 * and used, on a machine that is in no network.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  scryptSync,
  sign,
  verify,
} from 'node:crypto';
import { concatBytes, fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { offlineScryptBlockSize, offlineScryptCost } from './limits.ts';

export interface OfflineKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

const format = 'hilum offline key';
const version = 1;
const tagBytes = 16;

interface KeyFile {
  readonly format: typeof format;
  readonly version: typeof version;
  /** In hexadecimal, like all that follows. */
  readonly publicKey: string;
  readonly salt: string;
  readonly nonce: string;
  /** PKCS#8 of the private key, encrypted, and the tag. */
  readonly sealed: string;
}

function keyOf(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase.normalize('NFKC'), salt, 32, {
    N: offlineScryptCost,
    r: offlineScryptBlockSize,
    p: 1,
    maxmem: 2 * 128 * offlineScryptCost * offlineScryptBlockSize,
  });
}

/** What the tag covers besides: a file whose public key was exchanged does not open. */
function additionalData(publicKey: string): Uint8Array {
  return utf8(`${format} ${version} ${publicKey}`);
}

/** A new key as the text of its file. */
export function makeKeyFile(passphrase: string): { readonly text: string; readonly publicKey: Uint8Array } {
  const pair = generateKeyPairSync('ed25519');
  const publicKey = new Uint8Array(
    Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'),
  );
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(passphrase, salt), nonce);
  cipher.setAAD(additionalData(toHex(publicKey)));
  const sealed = [cipher.update(pair.privateKey.export({ format: 'der', type: 'pkcs8' })), cipher.final()];
  const file: KeyFile = {
    format,
    version,
    publicKey: toHex(publicKey),
    salt: toHex(salt),
    nonce: toHex(nonce),
    sealed: toHex(concatBytes(...sealed, cipher.getAuthTag())),
  };
  return { text: `${JSON.stringify(file, null, 2)}\n`, publicKey };
}

function isKeyFile(value: unknown): value is KeyFile {
  if (typeof value !== 'object' || value === null) return false;
  const file = value as Readonly<Record<string, unknown>>;
  const isHex = (text: unknown, bytes?: number): boolean =>
    typeof text === 'string' &&
    /^([0-9a-f]{2})+$/.test(text) &&
    (bytes === undefined || text.length === 2 * bytes);
  return (
    file.format === format &&
    file.version === version &&
    isHex(file.publicKey, 32) &&
    isHex(file.salt, 16) &&
    isHex(file.nonce, 12) &&
    isHex(file.sealed)
  );
}

function parse(text: string): KeyFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('OFFLINE_KEY_UNREADABLE', 'The file is no offline key.', { cause });
  }
  if (!isKeyFile(value)) throw new AppError('OFFLINE_KEY_UNREADABLE', 'The file is no offline key.');
  return value;
}

/** @throws AppError OFFLINE_KEY_UNREADABLE: no such file, damaged, or another passphrase. */
export function openKeyFile(text: string, passphrase: string): OfflineKey {
  const file = parse(text);
  const sealed = fromHex(file.sealed);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    keyOf(passphrase, fromHex(file.salt)),
    fromHex(file.nonce),
  );
  decipher.setAAD(additionalData(file.publicKey));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  let pkcs8: Buffer;
  try {
    pkcs8 = Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new AppError(
      'OFFLINE_KEY_UNREADABLE',
      'The passphrase does not open the key, or the file is damaged.',
      { cause },
    );
  }
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return {
    publicKey: fromHex(file.publicKey),
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
  };
}

/** Ed25519, as node:crypto judges it. */
export function verifyOffline(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, message, key, signature);
}
