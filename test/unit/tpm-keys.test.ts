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
import { faultOf, healthOf } from '../../firmware/tpm/fault.ts';
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
import { kindOf, TpmError } from '../../firmware/tpm/response-code.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const blob = (fill: number): { publicArea: Uint8Array; privateArea: Uint8Array } => ({
  publicArea: bytes(48, fill),
  privateArea: bytes(96, fill + 1),
});
const stored: StoredKeys = {
  institutionId: 'north',
  rootName: bytes(34, 1),
  policy: { registers: [7, 11], values: [bytes(32, 7), bytes(32, 11)] },
  identity: blob(10),
  sealed: {
    boxKey: blob(20),
    transactionSeed: blob(40),
    transportSeed: blob(50),
    accountSeed: blob(60),
  },
  voting: [blob(30), blob(70)],
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
  const newer = encodeKeysFile(stored).replace('"version": 2', '"version": 3');
  assert.throws(() => decodeKeysFile(newer, 'file'), /written by a newer firmware \(version 3\)/);
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

test('response codes by what they mean, whatever session or parameter they name', () => {
  const kinds = [
    0x99d, 0x1d, 0x128, 0x921, 0x1df, 0x9df, 0xa0015, 0xa000a, 0x70007, 0x90006, 0x18b, 0x902, 0xb0921,
  ];
  assert.deepEqual(kinds.map(kindOf), [
    'policy',
    'other',
    'policy',
    'locked-out',
    'integrity',
    'integrity',
    'no-transport',
    'connection',
    'connection',
    'other',
    'other',
    'other',
    'locked-out',
  ]);
});

test('each response is told with its code and name, and its state of the TPM', () => {
  const outcome = (code: number): string[] => {
    const fault = faultOf({ kind: 'response', command: 'Esys_X', code, codeName: 'some words' });
    assert.ok(fault.cause instanceof TpmError);
    assert.match(fault.message, new RegExp(`\\(Esys_X: some words \\(0x${code.toString(16)}\\)\\)$`));
    return [fault.code, healthOf(fault)];
  };
  assert.deepEqual(outcome(0x99d), ['TPM_POLICY', 'policy-mismatch']);
  assert.deepEqual(outcome(0x921), ['TPM_LOCKED_OUT', 'locked-out']);
  assert.deepEqual(outcome(0x1df), ['STORE_CORRUPT', 'wedged']);
  assert.deepEqual(outcome(0xa000a), ['TPM_ABSENT', 'absent']);
  assert.deepEqual(outcome(0xa0015), ['TPM_LIBRARY_MISSING', 'absent']);
  assert.deepEqual(outcome(0x902), ['TPM_FAILED', 'wedged']);
  assert.equal(healthOf(new AppError('TPM_WRONG', 'x')), 'wrong-tpm');
  assert.equal(healthOf(new AppError('TPM_TIMEOUT', 'x')), 'wedged');
});

test('a missing library is named by all the names that were tried', () => {
  assert.throws(
    () => loadLibrary(['libhilum-none.so.0', 'libhilum-none.so']),
    (failure) =>
      failure instanceof AppError &&
      failure.code === 'TPM_LIBRARY_MISSING' &&
      failure.message === 'cannot load libhilum-none.so.0 or libhilum-none.so',
  );
});
