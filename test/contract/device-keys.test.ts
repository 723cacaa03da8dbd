/** What every implementation of the DeviceKeys port must do: the fake of unit tests, and the real one on a TPM. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { suite, test, type TestContext } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { fromHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { HeldKeys, Signer } from '../../firmware/src/ports.ts';
import { FakeDeviceKeys, type TpmlessKeys } from '../fakes/device-keys.ts';
import { MemoryStartCounter } from '../fakes/voting-keys.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

/** RFC 8410 and RFC 5480: what stands before the key in a SubjectPublicKeyInfo. */
const ed25519Prefix = fromHex('302a300506032b6570032100');
const p256Prefix = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');

const spki = (prefix: Uint8Array, key: Uint8Array): ReturnType<typeof createPublicKey> =>
  createPublicKey({ key: Buffer.concat([prefix, key]), format: 'der', type: 'spki' });

interface Box {
  open(): Promise<TpmlessKeys>;
}

function oldest<Key extends Signer>(keys: HeldKeys<Key>): Key {
  const [publicKey] = keys.held();
  return keys.signer(publicKey ?? assert.fail('no key')) ?? assert.fail('a key that is held does not sign');
}

function contract(name: string, newBox: (t: TestContext) => Promise<Box>): void {
  suite(name, () => {
    test('signs with Ed25519 as RFC 8032 says', async (t) => {
      const keys = await (await newBox(t)).open();
      const message = utf8('a vote');
      for (const signer of [keys.voting, keys.transaction, keys.transport].map(oldest)) {
        const signature = signer.sign(message);
        assert.equal(signer.publicKey.length, 32);
        assert.equal(signature.length, 64);
        assert.ok(verify(null, message, spki(ed25519Prefix, signer.publicKey), signature));
        assert.ok(!verify(null, utf8('another vote'), spki(ed25519Prefix, signer.publicKey), signature));
      }
    });

    test('gives the transport seed that makes the transport key', async (t) => {
      const transport = oldest((await (await newBox(t)).open()).transport);
      assert.deepEqual(ed25519.getPublicKey(transport.seed), transport.publicKey);
    });

    test('signs with the identity key, always with the lower s', async (t) => {
      const keys = await (await newBox(t)).open();
      assert.equal(keys.identityPublicKey.length, 65);
      assert.equal(keys.identityPublicKey[0], 4);
      const key = spki(p256Prefix, keys.identityPublicKey);
      // Half of all signatures would be high: twelve low ones by chance is one in 4096.
      for (let i = 0; i < 12; i++) {
        const message = utf8(`message ${i}`);
        const signature = await keys.signWithIdentity(message);
        assert.equal(signature.length, 64);
        assert.ok(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature));
        assert.ok(
          p256.verify(signature, sha256(message), keys.identityPublicKey, { prehash: false, lowS: true }),
        );
      }
    });

    test('keeps every purpose apart', async (t) => {
      const keys = await (await newBox(t)).open();
      const all = [
        keys.voting.held()[0] ?? assert.fail(),
        oldest(keys.transaction).publicKey,
        oldest(keys.transport).publicKey,
        oldest(keys.transport).seed,
        keys.boxKey,
        keys.accountSeed,
      ].map((bytes) => Buffer.from(bytes).toString('hex'));
      assert.equal(new Set(all).size, all.length);
      assert.equal(keys.boxKey.length, 32);
      assert.equal(keys.accountSeed.length, 32);
    });

    for (const purpose of ['voting', 'transaction', 'transport'] as const) {
      test(`makes ${purpose} keys, keeps them, and erases all but those it is told to keep`, async (t) => {
        const box = await newBox(t);
        const keys: HeldKeys = (await box.open())[purpose];
        const [first] = keys.held();
        const [second, third] = [await keys.make(), await keys.make()];
        assert.deepEqual(keys.held(), [first, second, third]);
        const message = utf8('a message');
        const signature = (keys.signer(third) ?? assert.fail()).sign(message);
        assert.ok(verify(null, message, spki(ed25519Prefix, third), signature));
        await keys.keepOnly([third]);
        assert.deepEqual(keys.held(), [third]);
        assert.equal(keys.signer(second), undefined);
        await keys.keepOnly([second]);
        assert.deepEqual(keys.held(), []);
      });
    }

    test('counts starts upwards, also over a restart', async (t) => {
      const box = await newBox(t);
      const { starts } = await box.open();
      const first = await starts.value();
      assert.equal(starts.first, first);
      assert.equal(await starts.value(), first);
      assert.equal(await starts.advance(), first + 1);
      const again = await box.open();
      assert.equal(again.starts.first, first);
      assert.equal(await again.starts.value(), first + 1);
      assert.equal(await again.starts.advance(), first + 2);
    });

    test('has the same keys when it is opened again', async (t) => {
      const box = await newBox(t);
      const first = await box.open();
      const second = await box.open();
      assert.deepEqual(second.identityPublicKey, first.identityPublicKey);
      assert.deepEqual(second.voting.held(), first.voting.held());
      assert.deepEqual(second.transaction.held(), first.transaction.held());
      assert.deepEqual(oldest(second.transport).seed, oldest(first.transport).seed);
      assert.deepEqual(second.boxKey, first.boxKey);
      assert.deepEqual(second.accountSeed, first.accountSeed);
    });
  });
}

contract('FakeDeviceKeys', () => {
  const starts = new MemoryStartCounter();
  return Promise.resolve({ open: () => Promise.resolve(new FakeDeviceKeys('north', starts)) });
});

contract('openDeviceKeys on swtpm', async (t) => {
  const tpm = await FreshTpm.make(t);
  return {
    open: async () => {
      await tpm.powerOff();
      return tpm.openKeys();
    },
  };
});
