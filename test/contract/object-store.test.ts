import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { FoundStudy, ObjectStore, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';

/** Opens the same store again and again, as a box that is restarted does. */
type Opener = () => Promise<ObjectStore>;

const implementations: readonly { name: string; prepare: (t: TestContext) => Promise<Opener> }[] = [
  {
    name: 'memory',
    prepare: () => {
      const disk = new MemoryObjectDisk();
      return Promise.resolve(() => Promise.resolve(new MemoryObjectStore(disk)));
    },
  },
  {
    name: 'folder',
    prepare: async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'hilum-store-'));
      const stores: StudyStore[] = [];
      t.after(async () => {
        for (const store of stores) await store.close();
        await rm(folder, { recursive: true });
      });
      const boxKey = randomBytes(32);
      return async () => {
        for (const store of stores.splice(0)) await store.close();
        const store = new StudyStore({
          folder,
          boxKey,
          openLog: (path) =>
            FileAppendLog.open(path, { domain: 'test', damageCode: 'STORE_CORRUPT', allocationBytes: 4096 }),
        });
        stores.push(store);
        return store;
      };
    },
  },
];

async function studiesOf(store: ObjectStore): Promise<FoundStudy[]> {
  const found: FoundStudy[] = [];
  for await (const study of store.open()) found.push(study);
  return found;
}

async function keep(
  study: StudyFolder,
  bytes: Uint8Array,
  pieceBytes: number,
): Promise<{ readonly object: StoredObject; readonly segments: readonly Buffer[] }> {
  const segments: Buffer[] = [];
  const writer = await study.createObject((index, segment) => {
    assert.equal(index, segments.length);
    segments.push(Buffer.from(segment));
  });
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await writer.write(bytes.subarray(at, at + pieceBytes));
  return { object: await writer.finish(), segments };
}

async function read(study: StudyFolder, object: StoredObject): Promise<Buffer> {
  const reader = await study.openObject(object);
  try {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < reader.segmentCount; index++) parts.push(await reader.segment(index));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}

for (const { name, prepare } of implementations) {
  describe(`an object store (${name})`, () => {
    test('gives back records in order and objects bit for bit, also after a restart', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      assert.deepEqual(await studiesOf(store), []);
      const study = await store.createStudy();
      const bodies = [1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes].map((n) =>
        randomBytes(n),
      );
      const objects: StoredObject[] = [];
      for (const [index, body] of bodies.entries()) {
        const { object, segments } = await keep(study, body, 300_000);
        assert.equal(object.length, body.length);
        assert.ok(Buffer.concat(segments).equals(body), 'segments are told as they are written');
        assert.ok(segments.slice(0, -1).every(({ length }) => length === chunkBytes));
        await study.append({ index, tag: object.lastTag });
        objects.push(object);
      }
      const [again] = await studiesOf(await openStore());
      assert.ok(again !== undefined);
      assert.equal(again.folder.ref, study.ref);
      assert.deepEqual(
        again.records.map((record) => (record as { readonly index: number }).index),
        bodies.map((_, index) => index),
      );
      for (const [index, object] of objects.entries())
        assert.ok((await read(again.folder, object)).equals(bodies[index] as Buffer));
    });

    test('a study goes on after a restart where it was', async (t) => {
      const openStore = await prepare(t);
      const study = await (await openStore()).createStudy();
      await study.append({ is: 'first' });
      const [again] = await studiesOf(await openStore());
      await again?.folder.append({ is: 'second' });
      const [third] = await studiesOf(await openStore());
      assert.deepEqual(third?.records, [{ is: 'first' }, { is: 'second' }]);
    });

    test('keeps the order of appends that do not wait for each other', async (t) => {
      const openStore = await prepare(t);
      const study = await (await openStore()).createStudy();
      const numbers = Array.from({ length: 30 }, (_, i) => i);
      await Promise.all(numbers.map((number) => study.append(number)));
      const [again] = await studiesOf(await openStore());
      assert.deepEqual(again?.records, numbers);
    });

    test('studies are apart, and their names are new and say nothing', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      const [one, two] = [await store.createStudy(), await store.createStudy()];
      assert.notEqual(one.ref, two.ref);
      assert.match(one.ref, /^[0-9a-f]{32}$/);
      await one.append({ of: 1 });
      await two.append({ of: 2 });
      const found = await studiesOf(await openStore());
      assert.deepEqual(found.find(({ folder }) => folder.ref === one.ref)?.records, [{ of: 1 }]);
      const { object } = await keep(one, randomBytes(10), 10);
      await assert.rejects(read(two, object), { code: 'STORE_CORRUPT' });
    });

    test('an object of another length, tag or name is not opened', async (t) => {
      const store = await (await prepare(t))();
      const study = await store.createStudy();
      const { object } = await keep(study, randomBytes(1000), 1000);
      for (const other of [
        { ...object, ref: '00'.repeat(16) },
        { ...object, length: 999 },
        { ...object, lastTag: new Uint8Array(16) },
      ])
        await assert.rejects(read(study, other), { code: 'STORE_CORRUPT' });
      assert.equal((await read(study, object)).length, 1000);
    });

    test('an object that was aborted is nowhere, and the study takes others', async (t) => {
      const openStore = await prepare(t);
      const study = await (await openStore()).createStudy();
      await study.append({ is: 'study' });
      const writer = await study.createObject(() => undefined);
      await writer.write(randomBytes(2 * chunkBytes));
      await writer.abort();
      const { object } = await keep(study, Buffer.from('kept'), 2);
      const [again] = await studiesOf(await openStore());
      assert.ok(again !== undefined);
      assert.equal((await read(again.folder, object)).toString(), 'kept');
    });
  });
}
