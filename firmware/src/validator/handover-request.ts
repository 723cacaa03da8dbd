/** Request body of `/hilum/handover/1`: canonical CBOR of `{ epoch }`. The answer is a handover, or empty. */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { blockRequestBytesMax } from './limits.ts';
import { counterIn, mapWith } from './shapes.ts';

export function encodeHandoverRequest(epoch: number): Uint8Array {
  return encodeCanonical({ epoch });
}

/** @throws RangeError if the bytes are no such request. */
export function decodeHandoverRequest(bytes: Uint8Array): number {
  if (bytes.length > blockRequestBytesMax) throw new RangeError(`request of ${bytes.length} bytes`);
  return counterIn(mapWith(decodeCanonical(bytes), ['epoch'])['epoch']);
}
