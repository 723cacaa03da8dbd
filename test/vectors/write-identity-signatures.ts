/** Writes identity-signatures.json anew: signatures of one P-256 key at the edges of the rule, and what the rule says. */
import { writeFileSync } from 'node:fs';
import { p256 } from '@noble/curves/nist.js';
import { concatBytes, fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { bytesOf } from '../fakes/ledger.ts';

const secret = bytesOf('identity at the edges');
const key = p256.getPublicKey(secret, false);
const message = utf8('what an identity key signs');
// RFC 6979, low s.
const good = p256.sign(message, secret);
const order = p256.Point.Fn.ORDER;
const prime = p256.Point.Fp.ORDER;

function bytes32(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(64, '0'));
}

const [r, s] = [good.subarray(0, 32), good.subarray(32)].map((half) => BigInt(`0x${toHex(half)}`)) as [
  bigint,
  bigint,
];
const y = BigInt(`0x${toHex(key.subarray(33))}`);
const half = order >> 1n;

function signature(first: bigint, second: bigint): Uint8Array {
  return concatBytes(bytes32(first), bytes32(second));
}

function point(x: Uint8Array, second: bigint): Uint8Array {
  return concatBytes(Uint8Array.of(4), x, bytes32(second));
}

const x = key.slice(1, 33);
const cases: readonly (readonly [string, Partial<Record<'key' | 'message' | 'signature', Uint8Array>>])[] = [
  ['good', {}],
  ['high s, which every implementation of ECDSA takes', { signature: signature(r, order - s) }],
  ['s one above the half', { signature: signature(r, half + 1n) }],
  ['s 0', { signature: signature(r, 0n) }],
  ['r 0', { signature: signature(0n, s) }],
  ['both 0', { signature: new Uint8Array(64) }],
  ['s the order', { signature: signature(r, order) }],
  ['r the order', { signature: signature(order, s) }],
  ['r and s changed places', { signature: signature(s, r) }],
  ['another message', { message: utf8('what an identity key did not sign') }],
  ['no message', { message: new Uint8Array(0) }],
  ['DER', { signature: p256.Signature.fromBytes(good).toBytes('der') }],
  ['a byte too few', { signature: good.subarray(0, 63) }],
  ['a byte too many', { signature: concatBytes(good, Uint8Array.of(0)) }],
  ['a compressed key', { key: p256.getPublicKey(secret, true) }],
  ['a key in the hybrid form', { key: concatBytes(Uint8Array.of(6 + Number(y & 1n)), key.subarray(1)) }],
  ['a key without its first byte', { key: key.subarray(1) }],
  ['the key with its y negated', { key: point(x, prime - y) }],
  ['a point that is not on the curve', { key: point(x, y ^ 1n) }],
  ['a coordinate that is no element of the field', { key: point(bytes32(prime), y) }],
  ['a key that is all zero', { key: new Uint8Array(65) }],
  ['the point 0, 0', { key: point(new Uint8Array(32), 0n) }],
];

writeFileSync(
  new URL('identity-signatures.json', import.meta.url),
  `${JSON.stringify(
    {
      description: 'P-256 signatures of identity keys: what each of our implementations must say of them.',
      cases: cases.map(([name, change]) => ({
        name,
        key: toHex(change.key ?? key),
        message: toHex(change.message ?? message),
        signature: toHex(change.signature ?? good),
        valid: Object.keys(change).length === 0,
      })),
    },
    null,
    2,
  )}\n`,
);
