/** Chains of endorsement certificates: which the consortium's pins admit, and each way not to be admitted. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import 'reflect-metadata';
import { CertificatePolicyExtension, Extension } from '@peculiar/x509';
import fc from 'fast-check';
import { speaksOf } from '../../firmware/src/attestation/certified-key.ts';
import { judgeChain, type ChainVerdict } from '../../firmware/src/attestation/endorsement-chain.ts';
import { certificateBytesMax } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey, type EndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { subjectPublicKeyInfo } from '../../firmware/src/attestation/web-key.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { FakeDevice } from '../fakes/attesting-device.ts';
import { TpmVendor, type EndorsementWish, type VendorWish } from '../support/tpm-vendor.ts';

const now = Date.UTC(2026, 10, 22);
const dayMs = 86_400_000;
const from = now - 400 * dayMs;

let vendor: TpmVendor;
let key: EndorsementKey;
before(async () => {
  vendor = await TpmVendor.make({ from });
  key = readEndorsementKey((await FakeDevice.make('north', vendor)).parts.endorsementKey);
});

async function judged(
  { vendorWish, wish }: { vendorWish?: Partial<VendorWish>; wish?: EndorsementWish } = {},
  change: (chain: Uint8Array[]) => Uint8Array[] = (chain) => chain,
): Promise<ChainVerdict> {
  const by = vendorWish === undefined ? vendor : await TpmVendor.make({ from, ...vendorWish });
  const chain = change([await by.certify(key, wish), ...by.authorities]);
  return judgeChain(chain, { roots: [vendor.pin, by.pin], development: false }, now);
}

const refusal = (failure: string, at: number) => ({ kind: 'refused', failure, at });

test('a chain to a pinned root is trusted, by elliptic curves and by RSA', async () => {
  const trusted = {
    kind: 'trusted',
    subjectPublicKeyInfo: await subjectPublicKeyInfo(key),
    development: false,
  };
  assert.deepEqual(await judged(), trusted);
  assert.deepEqual(await judged({ vendorWish: { algorithm: 'RSA-2048' } }), trusted);
});

test('a certificate with bytes after it has another digest, and is none', async () => {
  const padding = (at: number) => (chain: Uint8Array[]) =>
    chain.map((der, each) => (each === at ? Uint8Array.of(...der, 0) : der));
  assert.deepEqual(await judged({}, padding(0)), refusal('malformed', 0));
  assert.deepEqual(await judged({}, padding(1)), refusal('malformed', 1));
  const filled = (chain: Uint8Array[]) => chain.map((der) => Uint8Array.of(...der, 0xff, 0xff, 0xff));
  assert.deepEqual(await judged({}, filled), refusal('malformed', 0));
});

test('a chain to a root that is not pinned is not', async () => {
  const chain = [await vendor.certify(key), ...vendor.authorities];
  const stranger = await TpmVendor.make({ from });
  for (const roots of [[], [stranger.pin]])
    assert.deepEqual(await judgeChain(chain, { roots, development: false }, now), refusal('unknown-root', 2));
  // In a development consortium too: it takes simulators, not strangers.
  assert.deepEqual(
    await judgeChain(chain, { roots: [], development: true }, now),
    refusal('unknown-root', 2),
  );
});

test('an authority under the name of a pinned one is not it', async () => {
  const impostor = await TpmVendor.make({ from });
  const own = await impostor.certify(key);
  const chain = [own, ...vendor.authorities];
  const trust = { roots: [vendor.pin], development: false };
  assert.deepEqual(await judgeChain(chain, trust, now), refusal('bad-signature', 0));
});

test('each certificate of the chain must be there, in its place and whole', async () => {
  assert.deepEqual(await judged({}, () => []), refusal('unknown-root', 0));
  assert.deepEqual(await judged({}, ([own]) => [own as Uint8Array]), refusal('unknown-root', 0));
  assert.deepEqual(
    await judged({}, ([own, , root]) => [own as Uint8Array, root as Uint8Array]),
    refusal('not-issued-by-the-next', 0),
  );
  const longer = (bytes: Uint8Array, by: number) => new Uint8Array([...bytes, ...new Uint8Array(by)]);
  assert.deepEqual(
    await judged({}, ([own, ...rest]) => [longer(own as Uint8Array, certificateBytesMax), ...rest]),
    refusal('malformed', 0),
  );
});

test('time counts', async () => {
  assert.deepEqual(await judged({ wish: { until: now - 1_000 } }), refusal('expired', 0));
  assert.deepEqual(await judged({ wish: { from: now + 1_000 } }), refusal('not-yet-valid', 0));
  assert.deepEqual(await judged({ vendorWish: { from: now - 8_000 * dayMs } }), refusal('expired', 0));
});

test('only certificates of endorsement keys, issued by authorities, with hashes that hold', async () => {
  assert.deepEqual(
    await judged({ wish: { use: '1.3.6.1.5.5.7.3.1' } }),
    refusal('not-an-endorsement-certificate', 0),
  );
  assert.deepEqual(await judged({ wish: { ca: true } }), refusal('not-an-endorsement-certificate', 0));
  assert.deepEqual(await judged({ vendorWish: { issues: false } }), refusal('issuer-is-no-authority', 1));
  assert.deepEqual(
    await judged({ vendorWish: { algorithm: 'RSA-2048 SHA-1' } }),
    refusal('weak-signature', 0),
  );
});

test('a certificate without a purpose counts if it names a TPM, as some vendors make them', async () => {
  const names = [{ type: 'dn', value: '2.23.133.2.1=id:494E5443, 2.23.133.2.2=model' }] as const;
  assert.equal((await judged({ wish: { use: null, names: [...names] } })).kind, 'trusted');
  for (const wish of [
    { use: null },
    { use: null, names: [{ type: 'dns', value: 'www.vendor.example' }] },
    { use: null, names: [{ type: 'dn', value: 'CN=a server of the vendor' }] },
    { use: '1.3.6.1.5.5.7.3.1', names: [...names] },
  ] satisfies EndorsementWish[])
    assert.deepEqual(await judged({ wish }), refusal('not-an-endorsement-certificate', 0));
});

test('a critical extension that nobody here knows is refused, in any certificate but the pinned one', async () => {
  const emptySequence = Uint8Array.of(0x30, 0);
  // Name constraints (RFC 5280, 4.2.1.10), which are not judged, and one of nobody's.
  for (const type of ['2.5.29.30', '1.2.3.4']) {
    const extension = new Extension(type, true, emptySequence);
    assert.deepEqual(await judged({ wish: { extension } }), refusal('unknown-extension', 0));
    assert.deepEqual(await judged({ vendorWish: { extension } }), refusal('unknown-extension', 1));
  }
  const told = new Extension('1.2.3.4', false, emptySequence);
  assert.equal(
    (await judged({ wish: { extension: told }, vendorWish: { extension: told } })).kind,
    'trusted',
  );
  // A policy is asked for by nobody, so that any will do.
  const policy = new CertificatePolicyExtension(['2.5.29.32.0'], true);
  assert.equal((await judged({ vendorWish: { extension: policy } })).kind, 'trusted');
});

test('no more authorities stand below one than it says', async () => {
  assert.equal((await judged({ vendorWish: { pathLength: 1 } })).kind, 'trusted');
  assert.deepEqual(await judged({ vendorWish: { pathLength: 0 } }), refusal('issuer-is-no-authority', 2));
});

/** An RSA endorsement key as WebCrypto writes it: rsaEncryption without parameters; and OAEP with all defaults. */
const plainRsa = fromHex('300d06092a864886f70d0101010500');
const oaepRsa = fromHex('300d06092a864886f70d0101073000');

test('an RSA key is the one of its certificate under either name that vendors give it', async () => {
  const rsa = await rsaKey();
  const plain = await subjectPublicKeyInfo(rsa);
  const at = toHex(plain).indexOf(toHex(plainRsa)) / 2;
  assert.ok(at > 0);
  const keyInfo = plain.slice();
  keyInfo.set(oaepRsa, at);
  const told = async (wish: EndorsementWish): Promise<Uint8Array> => {
    const chain = [await vendor.certify(rsa, wish), ...vendor.authorities];
    const verdict = await judgeChain(chain, { roots: [vendor.pin], development: false }, now);
    return verdict.kind === 'trusted' ? verdict.subjectPublicKeyInfo : assert.fail(verdict.failure);
  };
  assert.equal(toHex(await told({ keyInfo })), toHex(keyInfo));
  assert.equal(await speaksOf(await told({}), rsa), true);
  assert.equal(await speaksOf(await told({ keyInfo }), rsa), true);
  // Another key under that name, another name (RSASSA-PSS), and a key on a curve.
  const other = await rsaKey();
  assert.equal(await speaksOf(keyInfo, other), false);
  const pss = keyInfo.with(at + 12, 0x0a);
  assert.equal(await speaksOf(pss, rsa), false);
  assert.equal(await speaksOf(keyInfo, key), false);
});

async function rsaKey(): Promise<EndorsementKey> {
  const { publicKey } = await crypto.subtle.generateKey(
    { name: 'RSA-OAEP', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' },
    true,
    ['encrypt', 'decrypt'],
  );
  const { n = '' } = await crypto.subtle.exportKey('jwk', publicKey);
  const modulus = new Uint8Array(Buffer.from(n, 'base64url'));
  return { kind: 'rsa', modulus, exponent: 65_537, hash: 'SHA-256', aesBits: 128, attributes: 0 };
}

test("a simulator's authority counts in development only, even where it was pinned by mistake", async () => {
  const simulator = await TpmVendor.make({ from, rootName: 'swtpm-localca-rootca' });
  const chain = [await simulator.certify(key), ...simulator.authorities];
  assert.deepEqual(
    await judgeChain(chain, { roots: [simulator.pin], development: false }, now),
    refusal('simulator', 2),
  );
  const verdict = await judgeChain(chain, { roots: [], development: true }, now);
  assert.equal(verdict.kind === 'trusted' && verdict.development, true);
});

test('no bent byte of a certificate passes, and none breaks the judge', async () => {
  const chain = [await vendor.certify(key), ...vendor.authorities];
  const trust = { roots: [vendor.pin], development: false };
  const signed = chain[0] as Uint8Array;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(signed.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.option(fc.nat(signed.length - 1)),
      async (at, flip, cut) => {
        const bent = signed.slice(0, cut ?? signed.length);
        bent[at] = (bent[at] ?? 0) ^ flip;
        const verdict = await judgeChain([bent, ...chain.slice(1)], trust, now);
        assert.equal(verdict.kind, 'refused');
      },
    ),
    { seed: 5, numRuns: 300 },
  );
});
