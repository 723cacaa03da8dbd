import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { KeyValueStore } from '../../firmware/src/ports.ts';
import { EncryptedStore, LevelStore } from '../../firmware/src/store/level-store.ts';
import { MemoryStore } from '../support/memory-store.ts';

/** Opens the same store again and again. */
type Opener = () => Promise<KeyValueStore>;

async function levelOpener(t: TestContext): Promise<() => Promise<LevelStore>> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-level-'));
  let open: LevelStore | undefined;
  t.after(async () => {
    await open?.close();
    await rm(folder, { recursive: true });
  });
  return async () => {
    await open?.close();
    open = await LevelStore.open(folder);
    return open;
  };
}

const implementations: readonly { name: string; prepare: (t: TestContext) => Promise<Opener> }[] = [
  {
    name: 'memory',
    prepare: () => {
      const store = new MemoryStore();
      return Promise.resolve(() => Promise.resolve(store));
    },
  },
  { name: 'Level', prepare: levelOpener },
  {
    name: 'encrypted, on Level',
    prepare: async (t) => {
      const inner = await levelOpener(t);
      const key = randomBytes(32);
      return async () => new EncryptedStore(await inner(), key);
    },
  },
];

async function all(store: KeyValueStore, prefix: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const [key, value] of store.list(prefix)) found.push([key, Buffer.from(value).toString()]);
  return found;
}

async function text(store: KeyValueStore, key: string): Promise<string | undefined> {
  const value = await store.get(key);
  return value === undefined ? undefined : Buffer.from(value).toString();
}

for (const { name, prepare } of implementations) {
  describe(`a key-value store (${name})`, () => {
    test('gives back what was written last, also after it is opened again', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      assert.equal(await store.get('a'), undefined);
      await store.write([{ put: 'a', value: utf8('first') }]);
      await store.write([
        { put: 'a', value: utf8('second') },
        { put: 'b', value: new Uint8Array(0) },
      ]);
      assert.equal(await text(store, 'a'), 'second');
      const again = await openStore();
      assert.equal(await text(again, 'a'), 'second');
      assert.equal(await text(again, 'b'), '');
    });

    test('deletes, and deletes what is not there', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      await store.write([{ put: 'a', value: utf8('x') }, { delete: 'never' }]);
      await store.write([{ delete: 'a' }, { put: 'b', value: utf8('y') }]);
      assert.equal(await text(store, 'a'), undefined);
      assert.deepEqual(await all(await openStore(), ''), [['b', 'y']]);
    });

    test('lists the keys of a prefix, in order, and no others', async (t) => {
      const store = await (await prepare(t))();
      const keys = ['fetch/b', 'fetch', 'fetch/', 'fetch/a', 'fetch0', 'fetc', 'fetch-cursor', 'fetch/ä'];
      await store.write(keys.map((key) => ({ put: key, value: utf8(key) })));
      assert.deepEqual(
        (await all(store, 'fetch/')).map(([key]) => key),
        ['fetch/', 'fetch/a', 'fetch/b', 'fetch/ä'],
      );
      assert.equal((await all(store, '')).length, keys.length);
      assert.deepEqual(await all(store, 'nothing'), []);
    });

    test('takes a write of nothing, and many writes at once', async (t) => {
      const store = await (await prepare(t))();
      await store.write([]);
      const numbers = Array.from({ length: 20 }, (_, i) => i.toString());
      await Promise.all(numbers.map((number) => store.write([{ put: number, value: utf8(number) }])));
      assert.equal((await all(store, '')).length, 20);
    });
  });
}

test('two stores do not open one folder: the second is told which', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-level-'));
  t.after(() => rm(folder, { recursive: true }));
  const first = await LevelStore.open(folder);
  await assert.rejects(LevelStore.open(folder), { code: 'STORE_CORRUPT', message: new RegExp(folder) });
  await first.close();
});

test('a store that is closed takes no write as done', async (t) => {
  const store = await (await levelOpener(t))();
  await store.close();
  await assert.rejects(store.write([{ put: 'a', value: utf8('x') }]), { code: 'STORE_FAILED' });
});

test('an encrypted value is not on the disk, and does not open under another key or name', async (t) => {
  const inner = await (await levelOpener(t))();
  const key = randomBytes(32);
  const store = new EncryptedStore(inner, key);
  await store.write([{ put: 'binding/1', value: utf8('Canary^Winifred') }]);
  const sealed = await inner.get('binding/1');
  assert.ok(sealed !== undefined && !Buffer.from(sealed).includes('Canary'));
  const corrupt = { code: 'STORE_CORRUPT' };
  await assert.rejects(new EncryptedStore(inner, randomBytes(32)).get('binding/1'), corrupt);
  await inner.write([{ put: 'binding/2', value: sealed }]);
  await assert.rejects(store.get('binding/2'), corrupt);
  await assert.rejects(all(store, 'binding/'), corrupt);
  await inner.write([{ put: 'binding/2', value: sealed.subarray(0, 20) }]);
  await assert.rejects(store.get('binding/2'), corrupt);
  await store.write([{ put: 'binding/3', value: utf8('Canary^Winifred') }]);
  assert.notDeepEqual(await inner.get('binding/3'), sealed);
});
