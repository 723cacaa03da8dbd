import { X509Certificate } from 'node:crypto';
import { concatBytes } from '../../src/encoding/bytes.ts';
import { endorsementChainLengthMax } from '../limits.ts';

/**
 * DER of the certificates in what the vendor stored, index by index: an index may hold several, be filled up behind them,
 * or end in the middle of one that goes on in the next.
 */
export function certificatesIn(indexes: readonly Uint8Array[]): readonly Uint8Array[] {
  const certificates: Uint8Array[] = [];
  let before: Uint8Array = new Uint8Array(0);
  for (const index of indexes) {
    const goingOn = concatBytes(before, index);
    // What stood at the end of the one before only filled it up, if a certificate begins here.
    let left = firstIn(goingOn) === undefined && firstIn(index) !== undefined ? index : goingOn;
    for (let next = firstIn(left); next !== undefined; next = firstIn(left)) {
      certificates.push(next);
      left = left.subarray(next.length);
    }
    before = left;
  }
  return certificates.slice(0, endorsementChainLengthMax);
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
