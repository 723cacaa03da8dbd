/** Keys and their file without a TPM: signatures' lower half, Ed25519 from seeds, the file's checksum, faults. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { ed25519Signer } from '../../firmware/tpm/keys/ed25519-signer.ts';
import {
  decodeKeysFile,
  encodeKeysFile,
  readKeysFile,
  writeKeysFile,
  type StoredKeys,
} from '../../firmware/tpm/keys/keys-file.ts';
import { withLowS } from '../../firmware/tpm/keys/low-s.ts';
import { loadLibrary } from '../../firmware/tpm/esys/libraries.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const blob = (fill: number): { publicArea: Uint8Array; privateArea: Uint8Array } => ({
  publicArea: bytes(48, fill),
  privateArea: bytes(96, fill + 1),
});
const stored: StoredKeys = {
  institutionId: 'north',
  rootName: bytes(34, 1),
  approval: [
    { values: [bytes(32, 7), bytes(32, 11)], countMax: 3 },
    { values: [bytes(32, 7), bytes(32, 12)], countMax: 4 },
  ],
  approving: [{ values: [bytes(32, 7), bytes(32, 12)], countMax: 4 }],
  rescue: { key: bytes(65, 4), lock: blob(16) },
  recoveryKey: bytes(32, 17),
  generation: 5,
  firstStart: 2,
  authorizations: blob(18),
  identity: blob(10),
  attestation: blob(12),
  endorsement: { kind: 'ecc-p384-high', name: bytes(50, 14), certificateDigest: bytes(32, 15) },
  origin: {
    values: [bytes(32, 7), bytes(32, 11)],
    creation: bytes(120, 90),
    certified: { attested: bytes(150, 91), signature: bytes(64, 92) },
    taken: { attested: bytes(140, 93), signature: bytes(64, 94) },
  },
  boxKey: { blob: blob(20), erasuresMax: 2 },
  nextBoxKey: { blob: blob(22), erasuresMax: 3 },
  accountSeed: blob(60),
  seeds: { voting: [blob(30), blob(70)], transaction: [blob(40)], transport: [blob(50)] },
  mac: bytes(32, 80),
};

const isCorrupt = (failure: unknown): boolean =>
  failure instanceof AppError && failure.code === 'STORE_CORRUPT';

test('the lower half of a signature verifies, and is the same for both halves', () => {
  const secret = sha256(Uint8Array.of(1));
  const key = p256.getPublicKey(secret);
  const order = p256.Point.Fn.ORDER;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
      const low = p256.sign(digest, secret, { prehash: false, lowS: true });
      const s = BigInt(`0x${toHex(low.slice(32))}`);
      const high = low.slice();
      high.set(fromHex((order - s).toString(16).padStart(64, '0')), 32);
      assert.deepEqual(withLowS(high), low);
      assert.deepEqual(withLowS(low), low);
      assert.ok(p256.verify(withLowS(high), digest, key, { prehash: false, lowS: true }));
    }),
    { numRuns: 50 },
  );
  assert.throws(() => withLowS(bytes(63, 1)), RangeError);
});

test('Ed25519 from a seed: RFC 8032, section 7.1, test 3', () => {
  const signer = ed25519Signer(fromHex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'));
  assert.equal(toHex(signer.publicKey), 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025');
  assert.equal(
    toHex(signer.sign(fromHex('af82'))),
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  );
});

test('the keys file comes back as it was written', () => {
  assert.deepEqual(decodeKeysFile(encodeKeysFile(stored), 'file'), stored);
});

test('a keys file of which any character changed is refused or means the same', () => {
  const text = encodeKeysFile(stored);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0af"{}[]:, x'), (at, character) => {
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      let decoded: StoredKeys;
      try {
        decoded = decodeKeysFile(changed, '/data/device-keys.json');
      } catch (failure) {
        assert.ok(isCorrupt(failure), String(failure));
        assert.match((failure as AppError).message, /^\/data\/device-keys\.json /);
        return;
      }
      assert.deepEqual(decoded, stored); // white space
    }),
    { numRuns: 2000 },
  );
});

test('a keys file of a newer firmware says so', () => {
  const newer = encodeKeysFile(stored).replace('"version": 5', '"version": 6');
  assert.throws(() => decodeKeysFile(newer, 'file'), /written by a newer firmware \(version 6\)/);
});

test('unknown fields are refused', () => {
  const value = JSON.parse(encodeKeysFile(stored)) as { content: Record<string, unknown> };
  value.content['extra'] = 1;
  assert.throws(() => decodeKeysFile(JSON.stringify(value), 'file'), isCorrupt);
});

test('the keys file replaces what was there, as a whole and for its owner alone', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'device-keys.json');
  assert.equal(await readKeysFile(file), undefined);
  await writeFile(`${file}.tmp`, 'half', { mode: 0o644 });
  await writeKeysFile(file, stored);
  const next = { ...stored, institutionId: 'south' };
  await writeKeysFile(file, next);
  assert.deepEqual(await readKeysFile(file), next);
  assert.deepEqual(await readdir(folder), ['device-keys.json']);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('a keys file that is too long, or a folder that is not there, is named', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'device-keys.json');
  await writeFile(file, ' '.repeat(65_537));
  await assert.rejects(readKeysFile(file), isCorrupt);
  const nowhere = join(folder, 'nowhere', 'device-keys.json');
  await assert.rejects(
    writeKeysFile(nowhere, stored),
    (failure) =>
      failure instanceof AppError && failure.code === 'STORE_FAILED' && failure.message.includes(nowhere),
  );
});

test('a missing library is named by all the names that were tried', () => {
  assert.throws(
    () => loadLibrary(['libhilum-none.so.0', 'libhilum-none.so']),
    (failure) =>
      failure instanceof AppError &&
      failure.code === 'TPM_LIBRARY_MISSING' &&
      failure.message.startsWith('cannot load libhilum-none.so.0 or libhilum-none.so (') &&
      failure.message.includes('cannot open shared object file'),
  );
});
