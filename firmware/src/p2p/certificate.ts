// @peculiar/x509 needs the metadata API to be in place when it is loaded.
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';

/** What node:tls takes, both in PEM. */
export interface TransportCertificate {
  readonly cert: string;
  readonly key: string;
}

/** RFC 8410, section 7: the PKCS#8 form of an Ed25519 private key is this prefix and the seed. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * A self-signed X.509 certificate over the transport key. Nobody looks at its names and dates: the ledger says whose
 * key it is and how long it counts, so it carries none that mean anything (no end: RFC 5280, section 4.1.2.5).
 * @param seed Ed25519, 32 bytes.
 */
export async function makeTransportCertificate(seed: Uint8Array): Promise<TransportCertificate> {
  const { subtle } = webcrypto;
  const pkcs8 = Buffer.concat([pkcs8Prefix, seed]);
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const { x } = privateKey.export({ format: 'jwk' });
  const keys = {
    privateKey: await subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']),
    publicKey: await subtle.importKey(
      'jwk',
      { kty: 'OKP', crv: 'Ed25519', x: x as string },
      'Ed25519',
      true,
      ['verify'],
    ),
  };
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: 'CN=hilum transport',
      notBefore: new Date('2020-01-01T00:00:00Z'),
      notAfter: new Date('9999-12-31T23:59:59Z'),
      signingAlgorithm: { name: 'Ed25519' },
      keys,
    },
    webcrypto,
  );
  return {
    cert: certificate.toString('pem'),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  };
}
