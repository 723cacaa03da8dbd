/** One-time owner keys: every signature is plain Ed25519, unsound keys are refused, and no scalar can be read. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import test from 'node:test';
import { inspect } from 'node:util';
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import {
  baseTimes,
  decodeScalar,
  encodeScalar,
  groupOrder,
  readPublicKey,
  signWithScalar,
} from '../../firmware/src/protocol/edwards25519.ts';
import { agree } from '../../firmware/src/protocol/one-time-keys.ts';
import {
  accountKeysRefusal,
  ephemeralPublicKey,
  recogniseOneTime,
  registerOwner,
} from '../../firmware/src/protocol/owner-keys.ts';
import { verifyEd25519 } from '../../firmware/src/protocol/webcrypto-ed25519.ts';
import { verifySignature } from '../fakes/ledger.ts';
import { ownerKeyVectors, pattern } from '../support/protocol-vectors.ts';

/** A signature takes some 8 ms, so a run makes a few hundred; HILUM_SIGNATURES=10000 makes as many as one likes. */
const signatures = Number(process.env['HILUM_SIGNATURES'] ?? 300);

const chain = pattern(32, 0x10);
const institution = 'north';
const account = deriveAccount(pattern(32, 1), institution);
const recipient = { chain, institution, spend: account.spend.publicKey, view: account.view, index: 0 };

/** X25519 points of small order and their non-canonical encodings (RFC 7748 section 6.1; cr.yp.to/ecdh.html). */
const smallOrderU = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(fromHex);

const torsionPoints = ED25519_TORSION_SUBGROUP.map((hex) => ed25519.Point.fromHex(hex, true));

test(`node:crypto and WebCrypto accept ${signatures} signatures of derived keys`, async () => {
  const r = pattern(32, 0x40);
  for (let index = 0; index < signatures; index++) {
    const owner = registerOwner({ ...recipient, index }, r);
    const recognised = recogniseOneTime(account, { ...owner, chain, index });
    assert.ok(recognised, `index ${index}`);
    const message = utf8(`message ${index}`);
    // `sign` itself verifies by WebCrypto.
    const signature = await recognised.signer.sign(message);
    assert.ok(verifySignature(owner.ownerKey, message, signature), `index ${index}`);
    assert.ok(!verifySignature(owner.ownerKey, utf8('another message'), signature));
  }
});

test('two signatures of one message differ, and both hold', async () => {
  const message = utf8('twice');
  const [first, second] = [await account.spend.sign(message), await account.spend.sign(message)];
  assert.ok(!equalBytes(first, second));
  assert.ok(verifySignature(account.spend.publicKey, message, first));
  assert.ok(verifySignature(account.spend.publicKey, message, second));
});

test('a signature that does not verify does not leave', async (t) => {
  t.mock.method(crypto.subtle, 'verify', () => Promise.resolve(false));
  await assert.rejects(account.spend.sign(utf8('miscomputed')), /does not verify/);
});

test('a one-time key is recognised by its account alone, in its place alone', () => {
  const owner = registerOwner(recipient, pattern(32, 0x41));
  const key = { ...owner, chain, index: 0 };
  assert.ok(recogniseOneTime(account, key));
  const another = registerOwner({ ...recipient, index: 1 }, pattern(32, 0x41));
  assert.equal(recogniseOneTime(deriveAccount(pattern(32, 2), institution), key), undefined);
  assert.equal(recogniseOneTime(deriveAccount(pattern(32, 1), 'south'), key), undefined);
  assert.equal(recogniseOneTime(account, { ...key, chain: pattern(32, 0x11) }), undefined);
  assert.equal(recogniseOneTime(account, { ...key, index: 1 }), undefined);
  assert.equal(recogniseOneTime(account, { ...key, tag: (owner.tag + 1) % 256 }), undefined);
  assert.equal(recogniseOneTime(account, { ...key, ownerKey: another.ownerKey }), undefined);
  assert.equal(recogniseOneTime(account, { ...key, ephemeral: pattern(32, 0x77) }), undefined);
});

test('keys of one account share no bytes, with one ephemeral key or with two', () => {
  const r = pattern(32, 0x42);
  const owners = [
    registerOwner({ ...recipient, index: 0 }, r),
    registerOwner({ ...recipient, index: 1 }, r),
    registerOwner(recipient, pattern(32, 0x43)),
  ];
  assert.equal(new Set(owners.map((owner) => toHex(owner.ownerKey))).size, 3);
  assert.ok(owners.every((owner) => !equalBytes(owner.ownerKey, account.spend.publicKey)));
});

test('a spend key of small order, with torsion, not canonical or no point is refused', () => {
  const clean = ed25519.Point.fromBytes(account.spend.publicKey);
  const unsound: Uint8Array[] = torsionPoints.map((point) => point.toBytes());
  for (const torsion of torsionPoints.slice(1)) unsound.push(clean.add(torsion).toBytes());
  // y = p + 1 encodes the identity a second time; y = 2 lies on no point.
  unsound.push(fromHex('eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'));
  unsound.push(fromHex('0200000000000000000000000000000000000000000000000000000000000000'));
  unsound.push(new Uint8Array(31), new Uint8Array(33));
  assert.equal(torsionPoints.length, 8);
  for (const spend of unsound) {
    assert.equal(readPublicKey(spend), undefined, toHex(spend));
    assert.equal(accountKeysRefusal(spend, account.view), 'spend-key', toHex(spend));
    assert.throws(() => registerOwner({ ...recipient, spend }, pattern(32, 0x40)), RangeError);
  }
  assert.equal(accountKeysRefusal(account.spend.publicKey, account.view), undefined);
});

test('an agreement of zero is refused on both sides, as node:crypto does', () => {
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), pattern(32, 9)]),
    format: 'der',
    type: 'pkcs8',
  });
  for (const u of smallOrderU) {
    const publicKey = createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), u]),
      format: 'der',
      type: 'spki',
    });
    assert.throws(() => diffieHellman({ privateKey, publicKey }), toHex(u));
    assert.equal(agree(pattern(32, 9), u), undefined);
    assert.equal(accountKeysRefusal(account.spend.publicKey, u), 'view-key');
    assert.throws(() => registerOwner({ ...recipient, view: u }, pattern(32, 0x40)), RangeError);
    const owner = registerOwner(recipient, pattern(32, 0x40));
    assert.equal(recogniseOneTime(account, { ...owner, chain, index: 0, ephemeral: u }), undefined);
  }
});

test('agreement is that of node:crypto', () => {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  for (let n = 0; n < 20; n++) {
    const [ours, theirs] = [pattern(32, n), pattern(32, 100 + n)];
    const privateKey = createPrivateKey({
      key: Buffer.concat([prefix, ours]),
      format: 'der',
      type: 'pkcs8',
    });
    const publicKey = createPublicKey(
      createPrivateKey({ key: Buffer.concat([prefix, theirs]), format: 'der', type: 'pkcs8' }),
    );
    const shared = agree(ours, ephemeralPublicKey(theirs));
    assert.ok(shared);
    assert.equal(toHex(shared), diffieHellman({ privateKey, publicKey }).toString('hex'));
  }
});

/** What a cofactored verifier accepts and the one rule refuses. */
const k = 0x1234567890abcdefn;

/** Signs for a key or with a nonce point to which torsion was added; s fits the clean parts. */
function torsionedSignature(
  publicTorsion: number,
  nonceTorsion: number,
  message: Uint8Array,
): { readonly key: Uint8Array; readonly signature: Uint8Array } {
  const key = baseTimes(k)
    .add(torsionPoints[publicTorsion] as (typeof torsionPoints)[0])
    .toBytes();
  const nonce = 987654321987654321n;
  const noncePoint = baseTimes(nonce)
    .add(torsionPoints[nonceTorsion] as (typeof torsionPoints)[0])
    .toBytes();
  const digest = challengeOf(noncePoint, key, message);
  return { key, signature: concatBytes(noncePoint, encodeScalar((nonce + digest * k) % groupOrder)) };
}

function challengeOf(noncePoint: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  let challenge = 0n;
  const digest = sha512(concatBytes(noncePoint, key, message));
  for (let i = 63; i >= 0; i--) challenge = (challenge << 8n) | BigInt(digest[i] as number);
  return challenge % groupOrder;
}

test('torsion in the key or the nonce: node:crypto and WebCrypto refuse alike, noble alone would not', async () => {
  const order8 = torsionPoints.findIndex((point) => !point.double().double().is0());
  let nobleAccepted = 0;
  for (let n = 0; n < 16; n++) {
    const message = utf8(`torsion ${n}`);
    const tornNonce = torsionedSignature(0, order8, message);
    assert.equal(verifySignature(tornNonce.key, message, tornNonce.signature), false);
    assert.equal(await verifyEd25519(tornNonce.key, message, tornNonce.signature), false);
    const tornKey = torsionedSignature(order8, 0, message);
    const accepted = verifySignature(tornKey.key, message, tornKey.signature);
    assert.equal(await verifyEd25519(tornKey.key, message, tornKey.signature), accepted);
    // The torsion vanishes if the challenge is a multiple of 8: hence such keys are refused at their first use.
    assert.equal(readPublicKey(tornKey.key), undefined);
    if (ed25519.verify(tornNonce.signature, message, tornNonce.key, { zip215: false })) nobleAccepted++;
  }
  assert.equal(nobleAccepted, 16);
});

test('a signature with s + L is refused by every verifier', async () => {
  const message = utf8('malleable');
  const signature = await account.spend.sign(message);
  const s = decodeScalar(signature.slice(32));
  assert.ok(s !== undefined);
  const shifted = s + groupOrder;
  const malleable = concatBytes(signature.slice(0, 32), littleEndian(shifted));
  const key = account.spend.publicKey;
  assert.equal(decodeScalar(malleable.slice(32)), undefined);
  assert.equal(verifySignature(key, message, malleable), false);
  assert.equal(await verifyEd25519(key, message, malleable), false);
  assert.equal(ed25519.verify(malleable, message, key, { zip215: false }), false);
});

test('keys and signatures of another form do not verify and do not throw', async () => {
  const message = utf8('form');
  const signature = await account.spend.sign(message);
  const key = account.spend.publicKey;
  const off = fromHex('0200000000000000000000000000000000000000000000000000000000000000');
  assert.equal(await verifyEd25519(key.slice(1), message, signature), false);
  assert.equal(await verifyEd25519(key, message, signature.slice(1)), false);
  assert.equal(await verifyEd25519(off, message, signature), false);
  assert.equal(await verifyEd25519(new Uint8Array(32).fill(0xff), message, signature), false);
});

test('signing refuses scalars and randomness out of range', () => {
  assert.throws(() => signWithScalar(0n, pattern(80, 0), utf8('m')), RangeError);
  assert.throws(() => signWithScalar(groupOrder, pattern(80, 0), utf8('m')), RangeError);
  assert.throws(() => signWithScalar(5n, pattern(79, 0), utf8('m')), RangeError);
  assert.throws(() => deriveAccount(pattern(31, 0), institution), RangeError);
});

/** All values that a program can reach from an object: properties, symbols, prototypes' getters, results of no call. */
function reachable(value: unknown, seen = new Set<unknown>()): Set<unknown> {
  if (seen.has(value)) return seen;
  seen.add(value);
  if ((typeof value === 'object' || typeof value === 'function') && value !== null) {
    for (const name of Reflect.ownKeys(value)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(value, name);
      if (descriptor && 'value' in descriptor) reachable(descriptor.value, seen);
    }
  }
  return seen;
}

test('no interface exports k or a', async () => {
  const { chain: vectorChain, cases } = await ownerKeyVectors();
  const vector = cases[0];
  assert.ok(vector);
  const holder = deriveAccount(fromHex(vector.seed), vector.institution);
  const recognised = recogniseOneTime(holder, {
    chain: fromHex(vectorChain),
    ephemeral: fromHex(vector.ephemeral),
    index: vector.index,
    tag: vector.tag,
    ownerKey: fromHex(vector.ownerKey),
  });
  assert.ok(recognised);
  const ownerScalar = decodeScalar(fromHex(vector.scalar)) as bigint;
  const tweak = decodeScalar(fromHex(vector.tweak)) as bigint;
  const spendScalar = (ownerScalar - tweak + groupOrder) % groupOrder;
  assert.equal(toHex(baseTimes(spendScalar).toBytes()), toHex(holder.spend.publicKey));
  const secrets = [ownerScalar, spendScalar].flatMap((scalar) => {
    const bytes = encodeScalar(scalar);
    return [toHex(bytes), toHex(bytes.toReversed()), scalar.toString()];
  });
  const values = [...reachable({ holder, recognised })];
  assert.ok(values.includes(holder.viewKey), 'the walk reaches what is there');
  for (const value of values) {
    if (typeof value === 'bigint') assert.fail('a scalar can be read');
    if (value instanceof Uint8Array) assert.ok(!secrets.includes(toHex(value)));
  }
  const shown = inspect({ holder, recognised }, { depth: 20, showHidden: true, maxArrayLength: null });
  for (const secret of secrets) assert.ok(!shown.includes(secret));
});

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
