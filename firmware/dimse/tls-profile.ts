/**
 * DICOM over TLS with mutual authentication: the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15
 * B.12) and with it the Non-Downgrading BCP 195 TLS Profile (PS3.15 B.10): TLS 1.3 and 1.2, nothing older.
 */
import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, type SecureContextOptions, TLSSocket } from 'node:tls';
import type { PeerCertificate } from './service.ts';

/** All in PEM. */
export interface TlsCredentials {
  /** Our own certificate, followed by its chain. */
  readonly certificate: string;
  /** Its private key, without passphrase. */
  readonly key: string;
  /** Authorities whose certificates peers may show; those of the operating system count for nothing. */
  readonly ca: readonly string[];
}

/** Whom to expect where we connect over TLS. */
export interface TlsDestination {
  readonly credentials: TlsCredentials;
  /**
   * Whether the peer's certificate must name the host that we connect to (RFC 9325 section 7.1). Without it any holder
   * of a certificate of the authorities is taken for the peer.
   */
  readonly checkName: boolean;
}

/** RFC 9325 section 4.2 for TLS 1.2, RFC 8446 section 9.1 for TLS 1.3; ephemeral keys and AEAD throughout. */
const cipherSuites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

export function contextOptions({ certificate, key, ca }: TlsCredentials): SecureContextOptions {
  return {
    cert: certificate,
    key,
    ca: [...ca],
    ciphers: cipherSuites,
    honorCipherOrder: true,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  };
}

export function connectOptions(host: string, { credentials, checkName }: TlsDestination): ConnectionOptions {
  return {
    ...contextOptions(credentials),
    rejectUnauthorized: true,
    // RFC 6066 section 3: no addresses.
    ...(isIP(host) === 0 && { servername: host }),
    ...(!checkName && { checkServerIdentity: () => undefined }),
  };
}

/** The certificate that was verified in the handshake. */
export function peerCertificate(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const commonName = commonNameIn(certificate.subject ?? '');
  return {
    sha256: createHash('sha256').update(certificate.raw).digest('hex'),
    ...(commonName !== undefined && { commonName }),
  };
}

/**
 * The common name of a subject as node:crypto prints it, a line for each attribute with its special characters escaped
 * (RFC 4514 section 2.4). Undefined without one, and of several, of which nobody could say which one counts.
 */
export function commonNameIn(subject: string): string | undefined {
  const [name, ...others] = subject.split('\n').filter((line) => line.startsWith('CN='));
  // An unescaped plus joins attributes of one relative name.
  if (name === undefined || others.length > 0 || / \+ /.test(name.replaceAll(/\\./g, ''))) return undefined;
  const value = name.slice('CN='.length);
  return value.replaceAll(/\\([0-9A-Fa-f]{2}|.)/g, (_, escaped: string) =>
    escaped.length === 2 ? String.fromCharCode(Number.parseInt(escaped, 16)) : escaped,
  );
}

/** When a socket that was given connecting is ready: with TLS not before the peer's certificate is verified. */
export function connectedEvent(socket: Socket): 'connect' | 'secureConnect' {
  return socket instanceof TLSSocket ? 'secureConnect' : 'connect';
}
