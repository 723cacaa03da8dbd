/** Order of the P-256 group (SEC 2, 2.4.2). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const scalarBytes = 32;

function toScalar(bytes: Uint8Array): bigint {
  let scalar = 0n;
  for (const byte of bytes) scalar = (scalar << 8n) | BigInt(byte);
  return scalar;
}

function fromScalar(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(scalarBytes);
  for (let index = scalarBytes - 1, rest = scalar; index >= 0; index--, rest >>= 8n)
    bytes[index] = Number(rest & 0xffn);
  return bytes;
}

/**
 * The same ECDSA signature with s in the lower half of the group: (r, s) and (r, n − s) both verify, and a ledger must
 * not hold two forms of one signature. TPMs give the higher one about half of the time.
 * @param signature r ‖ s, 64 bytes.
 */
export function withLowS(signature: Uint8Array): Uint8Array {
  if (signature.length !== 2 * scalarBytes) throw new RangeError('a P-256 signature has 64 bytes');
  const s = toScalar(signature.subarray(scalarBytes));
  const normalised = signature.slice();
  if (s > order / 2n) normalised.set(fromScalar(order - s), scalarBytes);
  return normalised;
}
