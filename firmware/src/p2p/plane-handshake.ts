import { constants, X509Certificate } from 'node:crypto';
import type { ConnectionOptions, TlsOptions, TLSSocket } from 'node:tls';
import { concatBytes } from '../encoding/bytes.ts';
import { domainPrefix } from '../encoding/hash.ts';
import type { ChainId } from '../ledger/types.ts';
import type { TransportCertificate } from './certificate.ts';

const applicationProtocol = 'hilum-plane/1';
const exporterLabel = 'EXPORTER-hilum-plane';
const exporterBytes = 32;

/**
 * TLS of both ends: 1.3 only, both show a certificate, no tickets. The certificates are self-signed, so node's
 * verification of chains is off; `provenTransportKey` takes its place.
 */
export function planeTlsOptions(certificate: TransportCertificate): TlsOptions & ConnectionOptions {
  return {
    cert: certificate.cert,
    key: certificate.key,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sigalgs: 'ed25519',
    ALPNProtocols: [applicationProtocol],
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/**
 * The Ed25519 key (32 bytes) that the other end has proved in this very handshake; undefined if the session was
 * resumed (what was proved then may no longer hold), or key or application protocol are of another kind.
 */
export function provenTransportKey(socket: TLSSocket): Uint8Array | undefined {
  if (socket.isSessionReused() || socket.alpnProtocol !== applicationProtocol) return undefined;
  const { raw } = socket.getPeerCertificate();
  // Node types it as always there; without a certificate the object is empty.
  if ((raw as Buffer | undefined) === undefined) return undefined;
  const { publicKey } = new X509Certificate(raw);
  if (publicKey.asymmetricKeyType !== 'ed25519') return undefined;
  return Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
}

/** RFC 8446, section 7.5: 32 bytes that only the two ends of this connection know, equal on both. */
export function connectionExporter(socket: TLSSocket, chain: ChainId): Uint8Array {
  const context = Buffer.from(concatBytes(domainPrefix('plane'), chain));
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, context);
}
