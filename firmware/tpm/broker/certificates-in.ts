import { X509Certificate } from 'node:crypto';
import { endorsementChainLengthMax } from '../limits.ts';

/** DER of the certificates that stand at the beginning of these bytes, one after the other, without whatever follows them. */
export function certificatesIn(stored: Uint8Array): readonly Uint8Array[] {
  const certificates: Uint8Array[] = [];
  for (let left = stored; certificates.length < endorsementChainLengthMax;) {
    const certificate = firstIn(left);
    if (certificate === undefined) break;
    certificates.push(certificate);
    left = left.subarray(certificate.length);
  }
  return certificates;
}

/** OpenSSL reads one certificate, and leaves what follows it. */
function firstIn(bytes: Uint8Array): Uint8Array | undefined {
  // Other than a SEQUENCE it would try as PEM.
  if (bytes[0] !== 0x30) return undefined;
  try {
    return new Uint8Array(new X509Certificate(bytes).raw);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
