/** The recovery code on paper, and the file that it opens: golden vectors, typing errors, wrong halves. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  joinRecoveryCode,
  recoveryBlindBytes,
  recoveryCodeBytes,
  splitRecoveryCode,
} from '../../firmware/tpm/keys/recovery-code.ts';
import { openRecovery, recoveryKeyOf, sealRecovery } from '../../firmware/tpm/keys/recovery-file.ts';

interface Vectors {
  readonly code: string;
  readonly blind: string;
  readonly halves: readonly [string, string];
  readonly recoveryKey: string;
  readonly institution: string;
  readonly boxKey: string;
  readonly accountSeed: string;
  readonly file: string;
}

const vectors = JSON.parse(
  await readFile(join(import.meta.dirname, '..', 'vectors', 'recovery.json'), 'utf8'),
) as Vectors;
const code = fromHex(vectors.code);
const halves = splitRecoveryCode(code, fromHex(vectors.blind));

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

test('the halves are those of the golden vector', () => {
  assert.deepEqual(halves, vectors.halves);
});

test('both halves give the code back, in either order, however they are typed', () => {
  fc.assert(
    fc.property(bytes(recoveryCodeBytes), bytes(recoveryBlindBytes), (secret, blind) => {
      const [first, second] = splitRecoveryCode(secret, blind);
      assert.deepEqual(joinRecoveryCode(first, second), { kind: 'code', code: secret });
      const typed = ` ${second.toUpperCase().replaceAll(' ', '-')}\n`;
      assert.deepEqual(joinRecoveryCode(typed, first.replaceAll(' ', '')), { kind: 'code', code: secret });
    }),
    { numRuns: 100 },
  );
});

test('any one wrong character is noticed, and told for its half', () => {
  const [first, second] = halves;
  fc.assert(
    fc.property(fc.nat(first.length - 1), fc.constantFrom(...'0123456789abcdef'), (at, character) => {
      if (first[at] === ' ' || first[at] === character) return;
      const typed = first.slice(0, at) + character + first.slice(at + 1);
      assert.deepEqual(joinRecoveryCode(typed, second), { kind: 'checksum', half: 1 });
      assert.deepEqual(joinRecoveryCode(second, typed), { kind: 'checksum', half: 2 });
    }),
    { numRuns: 500 },
  );
});

test('what is no half, the same half twice, and halves of two codes', () => {
  const [first, second] = halves;
  for (const wrong of ['', 'hello', first.slice(1), `${first} 0`, first.replace('0', 'g')]) {
    assert.deepEqual(joinRecoveryCode(wrong, second), { kind: 'form', half: 1 });
  }
  assert.deepEqual(joinRecoveryCode(first, first), { kind: 'same half' });
  const [, other] = splitRecoveryCode(new Uint8Array(32), new Uint8Array(34).fill(9));
  assert.deepEqual(joinRecoveryCode(first, other), { kind: 'other pair' });
});

test('a half alone says nothing: every code has a second half that goes with it', () => {
  fc.assert(
    fc.property(bytes(recoveryCodeBytes), (other) => {
      assert.equal(splitRecoveryCode(other, fromHex(vectors.blind))[0], halves[0]);
    }),
    { numRuns: 20 },
  );
});

test('the recovery file of the golden vector opens', async () => {
  assert.equal(toHex(recoveryKeyOf(code)), vectors.recoveryKey);
  const opened = await openRecovery(code, vectors.institution, fromHex(vectors.file));
  assert.deepEqual(opened, {
    boxKey: fromHex(vectors.boxKey),
    accountSeed: fromHex(vectors.accountSeed),
  });
});

test('the box writes the file without the code; another code, institution or byte opens nothing', async () => {
  const secrets = { boxKey: new Uint8Array(32).fill(1), accountSeed: new Uint8Array(32).fill(2) };
  const file = await sealRecovery(recoveryKeyOf(code), 'north', secrets);
  assert.deepEqual(await openRecovery(code, 'north', file), secrets);
  assert.equal(await openRecovery(new Uint8Array(32), 'north', file), undefined);
  assert.equal(await openRecovery(code, 'south', file), undefined);
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const altered = file.slice();
      altered[at] = (altered[at] as number) ^ flip;
      assert.equal(await openRecovery(code, 'north', altered), undefined);
    }),
    { numRuns: 100 },
  );
  for (let length = 0; length < file.length; length += 7) {
    assert.equal(await openRecovery(code, 'north', file.slice(0, length)), undefined);
  }
});
