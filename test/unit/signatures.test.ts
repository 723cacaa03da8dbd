/** The one rule for signatures: node:crypto's verdict, on sound and on unsound input alike. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { verifyEd25519, verifyP256 } from '../../firmware/src/box/signatures.ts';
import { concatBytes, fromHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { bytesOf, signerOf, verifySignature } from '../fakes/ledger.ts';

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const message = utf8('a message');
const signer = signerOf('somebody');
const signature = signer.sign(message);

/** A point of order 8 ("Taming the many EdDSAs", ePrint 2020/1244). */
const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
const torsions = Array.from({ length: 8 }, (_, n) => torsion.multiplyUnsafe(BigInt(n)));

function littleEndian(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0')).toReversed();
}

function scalarOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
}

const [R, S] = [signature.subarray(0, 32), signature.subarray(32)];

const edges: readonly (readonly [name: string, key: Uint8Array, signature: Uint8Array])[] = [
  ['a sound signature', signer.publicKey, signature],
  ['S + L', signer.publicKey, concatBytes(R, littleEndian(scalarOf(S) + order))],
  ['S of zero', signer.publicKey, concatBytes(R, new Uint8Array(32))],
  ['S of L', signer.publicKey, concatBytes(R, littleEndian(order))],
  ['all zeroes', signer.publicKey, new Uint8Array(64)],
  ['all ones', signer.publicKey, new Uint8Array(64).fill(0xff)],
  ...torsions.map(
    (point, n) =>
      [
        `R with torsion ${n}`,
        signer.publicKey,
        concatBytes(Point.fromBytes(R).add(point).toBytes(), S),
      ] as const,
  ),
  ...torsions.map(
    (point, n) =>
      [`a key with torsion ${n}`, Point.fromBytes(signer.publicKey).add(point).toBytes(), signature] as const,
  ),
  // A key of small order: R = S·B − h·A holds for many messages if the verifier multiplies by the cofactor or not at all.
  ...torsions.map(
    (point, n) =>
      [
        `a key of small order, ${n}`,
        point.toBytes(),
        concatBytes(Point.BASE.toBytes(), littleEndian(1n)),
      ] as const,
  ),
  ...torsions.map(
    (point, n) =>
      [
        `R and key of small order, ${n}`,
        point.toBytes(),
        concatBytes(point.toBytes(), littleEndian(0n)),
      ] as const,
  ),
  // Encodings with y of p or more, and the point of x = 0 with its sign set (RFC 8032, 5.1.3).
  ...[
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '0200000000000000000000000000000000000000000000000000000000000000',
  ].flatMap(
    (hex) =>
      [
        [
          `a key that is not canonical or no point, ${hex.slice(0, 4)}`,
          fromHex(hex),
          concatBytes(fromHex(hex), littleEndian(0n)),
        ],
        [
          `R that is not canonical or no point, ${hex.slice(0, 4)}`,
          signer.publicKey,
          concatBytes(fromHex(hex), S),
        ],
      ] as const,
  ),
];

for (const [name, key, of] of edges) {
  test(`Ed25519, ${name}: the verdict is node:crypto’s`, () => {
    let verdict: boolean;
    try {
      verdict = verifySignature(key, message, of);
    } catch (error) {
      assert.ok(error instanceof Error);
      verdict = false;
    }
    assert.equal(verifyEd25519(key, message, of), verdict);
    assert.equal(verifyEd25519(key, message, of), verdict, 'the second time too, when the key is known');
  });
}

test('the edges are edges: noble accepts what node:crypto refuses', () => {
  const differs = edges.filter(([, key, of]) => {
    let noble: boolean;
    try {
      noble = ed25519.verify(of, message, key);
    } catch (error) {
      assert.ok(error instanceof Error);
      noble = false;
    }
    return noble !== verifyEd25519(key, message, of);
  });
  assert.ok(differs.length > 0);
});

test('keys and signatures of other lengths verify nothing', () => {
  for (const length of [0, 1, 31, 33, 64])
    assert.equal(verifyEd25519(new Uint8Array(length), message, signature), false);
  for (const length of [0, 32, 63, 65]) {
    assert.equal(verifyEd25519(signer.publicKey, message, new Uint8Array(length)), false);
    assert.equal(verifyP256(new Uint8Array(65).fill(4), message, new Uint8Array(length)), false);
  }
});

test('any change of key, message or signature is noticed', () => {
  fc.assert(
    fc.property(fc.nat(31), fc.nat(63), fc.nat(message.length - 1), fc.nat(7), (k, s, m, bit) => {
      const flip = (bytes: Uint8Array, at: number): Uint8Array =>
        bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
      assert.equal(verifyEd25519(flip(signer.publicKey, k), message, signature), false);
      assert.equal(verifyEd25519(signer.publicKey, message, flip(signature, s)), false);
      assert.equal(verifyEd25519(signer.publicKey, flip(message, m), signature), false);
    }),
    { numRuns: 60 },
  );
});

test('more keys than are remembered change no verdict', () => {
  for (let n = 0; n < 4_200; n++) {
    const key = bytesOf(`key ${n}`);
    assert.equal(verifyEd25519(key, message, signature), false);
  }
  assert.equal(verifyEd25519(signer.publicKey, message, signature), true);
});

test('P-256: what node:crypto signed verifies with its low s only, anything else does not', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = concatBytes(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'));
  const signed = p256.Signature.fromBytes(
    sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  );
  const [low, high] = [signed.s, p256.Point.Fn.neg(signed.s)].sort((a, b) => (a < b ? -1 : 1)) as [
    bigint,
    bigint,
  ];
  const [made, mirrored] = [low, high].map((s) => new p256.Signature(signed.r, s).toBytes()) as [
    Uint8Array,
    Uint8Array,
  ];
  for (const either of [made, mirrored])
    assert.ok(verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, either));
  assert.equal(verifyP256(point, message, mirrored), false);
  assert.equal(verifyP256(point, message, made), true);
  assert.equal(verifyP256(point, utf8('another'), made), false);
  assert.equal(
    verifyP256(
      point,
      message,
      made.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
    ),
    false,
  );
  assert.equal(verifyP256(point, message, new Uint8Array(64)), false);
  const offCurve = point.slice();
  offCurve[40] = (offCurve[40] ?? 0) ^ 1;
  assert.equal(verifyP256(offCurve, message, made), false);
  assert.equal(verifyP256(new Uint8Array(65), message, made), false);
  assert.equal(verifyP256(concatBytes(Uint8Array.of(2), point.subarray(1)), message, made), false);
  const compressed = p256.Point.fromBytes(point).toBytes(true);
  assert.equal(verifyP256(compressed, message, made), false);
});
