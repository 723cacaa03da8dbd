/** An authority of a test, and the certificates that it issues: P-256, in PEM. */
import 'reflect-metadata';
import { randomBytes, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8, PEM. */
  readonly key: string;
}

export interface CertificateWish {
  /** Without one the subject has only an organisation. */
  readonly commonName?: string;
  /** UTC milliseconds. */
  readonly validFrom?: number;
  readonly validUntil?: number;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const yearMs = 365 * 86_400_000;

/** Positive and at most 20 octets (RFC 5280, 4.1.2.2). */
const serialNumber = (): string => `40${randomBytes(15).toString('hex')}`;

function nameOf(commonName: string | undefined): x509.JsonName {
  return [{ O: ['Hospital of the tests'] }, ...(commonName === undefined ? [] : [{ CN: [commonName] }])];
}

export class CertificateAuthority {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #name: x509.JsonName;
  /** PEM. */
  readonly certificate: string;

  private constructor(keys: webcrypto.CryptoKeyPair, name: x509.JsonName, certificate: string) {
    this.#keys = keys;
    this.#name = name;
    this.certificate = certificate;
  }

  static async make({
    commonName = 'Authority of the tests',
    validFrom = Date.now() - yearMs,
    validUntil = Date.now() + yearMs,
  }: CertificateWish = {}): Promise<CertificateAuthority> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const name = nameOf(commonName);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        keys,
        name,
        serialNumber: serialNumber(),
        notBefore: new Date(validFrom),
        notAfter: new Date(validUntil),
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(true, 1, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        ],
      },
      // Named, because other packages of the process set a default provider that refuses Node's keys.
      crypto,
    );
    return new CertificateAuthority(keys, name, certificate.toString('pem'));
  }

  /** For both ends of a connection, at this machine. */
  async issue({
    commonName,
    validFrom = Date.now() - yearMs,
    validUntil = Date.now() + yearMs,
  }: CertificateWish = {}): Promise<IssuedCertificate> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        publicKey: keys.publicKey,
        signingKey: this.#keys.privateKey,
        subject: nameOf(commonName),
        issuer: this.#name,
        serialNumber: serialNumber(),
        notBefore: new Date(validFrom),
        notAfter: new Date(validUntil),
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
          ]),
        ],
      },
      crypto,
    );
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
  }
}
