/**
 * The console's TLS key and certificate: P-256, self-signed, made at first start. Wallets and the provisioning record
 * pin the certificate's SHA-256, so it is kept for the life of the box.
 */
import 'reflect-metadata';
import { createHash, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { Type, type Static } from 'typebox';
import type { Clock, KeyValueStore } from '../ports.ts';
import { certificateYears } from './limits.ts';
import { decodeRecord, encodeRecord } from './stored-record.ts';

export interface TlsIdentity {
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** PEM. */
  readonly certificate: string;
  /** SHA-256 of the certificate's DER, lower-case hexadecimal. */
  readonly certificateSha256: string;
}

const storeKey = 'tls/identity';
const recordSchema = Type.Object({ privateKey: Type.String(), certificate: Type.String() });
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Clocks of phones and boxes differ: the certificate is valid from a day before it is made. */
const backdateMs = 86_400_000;

/** Reads the identity, or makes and keeps it at first start. @throws AppError STORE_CORRUPT, STORE_FAILED. */
export async function openTlsIdentity(
  store: KeyValueStore,
  clock: Clock,
  subject: { readonly institution: string; readonly host: string },
): Promise<TlsIdentity> {
  const stored = await store.get(storeKey);
  if (stored !== undefined) return withHash(decodeRecord(recordSchema, storeKey, stored));
  const made = await makeIdentity(clock.now(), subject);
  await store.write([{ put: storeKey, value: encodeRecord(made) }]);
  return withHash(made);
}

function withHash(record: Static<typeof recordSchema>): TlsIdentity {
  const der = new x509.X509Certificate(record.certificate).rawData;
  return { ...record, certificateSha256: createHash('sha256').update(new Uint8Array(der)).digest('hex') };
}

async function makeIdentity(
  now: number,
  subject: { readonly institution: string; readonly host: string },
): Promise<Static<typeof recordSchema>> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + certificateYears);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      keys,
      name: [{ CN: [`Hilum ${subject.institution}`] }],
      serialNumber: serialNumber(),
      notBefore: new Date(now - backdateMs),
      notAfter,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(subject.host)),
      ],
    },
    // Named, because other packages of the process set a default provider that refuses Node's keys.
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    privateKey: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    certificate: certificate.toString('pem'),
  };
}

/** RFC 5280, 4.1.2.2: positive, at most 20 octets. */
function serialNumber(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return serial.toString('hex');
}

/** The address that the box listens on, and the names by which its own machine reaches it. */
function alternativeNames(host: string): x509.JsonGeneralNames {
  const everywhere = ['0.0.0.0', '::', 'localhost', '127.0.0.1', '::1'];
  const local: x509.JsonGeneralNames = [
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '::1' },
  ];
  return everywhere.includes(host)
    ? local
    : [...local, { type: isIP(host) === 0 ? 'dns' : 'ip', value: host }];
}
