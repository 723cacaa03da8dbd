/** A hospital's offline rescue key, as somebody holds it who signs what is brought to him. */
import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { concatBytes, u8 } from '../../firmware/src/encoding/bytes.ts';

export interface OfflineKey {
  /** SEC1, uncompressed. */
  readonly point: Uint8Array;
  /** PKCS #8, DER, in hexadecimal: for a process that signs by itself. */
  readonly secret: string;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
}

export function offlineKey(): OfflineKey {
  const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync(
    'ec',
    {
      namedCurve: 'P-256',
    },
  );
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return {
    point: concatBytes(u8(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')),
    secret: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex'),
    sign: (message) => Promise.resolve(sign('sha256', message, privateKey)),
  };
}

export function signWith(secret: string, message: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.from(secret, 'hex'), format: 'der', type: 'pkcs8' });
  return sign('sha256', message, key);
}
