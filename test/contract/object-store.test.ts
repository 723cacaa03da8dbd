import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type {
  CborValue,
  FoundStudy,
  ObjectStore,
  SealedObject,
  StoredObject,
  StudyFolder,
} from '../../firmware/src/ports.ts';
import { chunkCount, chunkLeaf } from '../../firmware/src/protocol/commitments.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { sealOnLoop, type OpenSegmentOf } from '../../firmware/src/store/segment-sealing.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { openSealThreads } from '../support/seal-threads.ts';
import { readToEnd } from '../support/stored-object.ts';
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
  { name: 'folder, sealed on the event loop', prepare: (t) => prepareFolder(t, sealOnLoop) },
  {
    name: 'folder, sealed on threads',
    prepare: async (t) => prepareFolder(t, await openSealThreads(t)),
  },
];

async function prepareFolder(t: TestContext, openSegment: OpenSegmentOf): Promise<Opener> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-store-'));
  const stores: StudyStore[] = [];
  t.after(async () => {
    for (const store of stores) await store.close();
    await rm(folder, { recursive: true });
  });
  const boxKey = randomBytes(32);
  return async () => {
    for (const store of stores.splice(0)) await store.close();
    const store = new StudyStore({ folder, boxKey, openSegment });
    stores.push(store);
    return store;
  };
}

async function studiesOf(store: ObjectStore): Promise<FoundStudy[]> {
  const studies: FoundStudy[] = [];
  const told: number[] = [];
  for await (const study of store.open(undefined, (found) => told.push(found))) {
    assert.equal(told.length, 1, 'how many there are is told before the first');
    studies.push(study);
  }
  assert.ok(told.length === 1 && (told[0] as number) >= studies.length, 'and once, none left out');
  return studies;
}

async function write(study: StudyFolder, bytes: Uint8Array, pieceBytes: number): Promise<SealedObject> {
  const writer = study.createObject([]);
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await writer.write(bytes.subarray(at, at + pieceBytes));
  return writer.finish();
}

/** Its record is what `describe` makes of it. */
async function append(
  sealed: SealedObject,
  describe: (stored: StoredObject) => CborValue = ({ ref }) => ({ ref }),
): Promise<StoredObject> {
  let object: StoredObject | undefined;
  await sealed.append((stored) => {
    object = stored;
    return describe(stored);
  });
  assert.ok(object !== undefined);
  return object;
}

async function keep(study: StudyFolder, bytes: Uint8Array, pieceBytes: number): Promise<StoredObject> {
  return append(await write(study, bytes, pieceBytes));
}

async function read(study: StudyFolder, object: StoredObject): Promise<Buffer> {
  return readToEnd(await study.openObject(object));
}

for (const { name, prepare } of implementations) {
  describe(`an object store (${name})`, () => {
    test('gives back records in order and objects bit for bit, also after a restart', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      assert.deepEqual(await studiesOf(store), []);
      const study = await store.createStudy();
      const bodies = [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes].map((n) =>
        randomBytes(n),
      );
      const objects: StoredObject[] = [];
      for (const [index, body] of bodies.entries()) {
        const object = await append(await write(study, body, 300_000), ({ lastTag }) => ({
          index,
          tag: lastTag,
        }));
        assert.equal(object.length, body.length);
        assert.equal(object.frame === null, body.length > chunkBytes, 'a large object has a file of its own');
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
      for (const length of [10, 2 * chunkBytes]) {
        const object = await append(await write(one, randomBytes(length), length), () => ({ of: length }));
        await assert.rejects(read(two, object), { code: 'STORE_CORRUPT' });
      }
      const found = await studiesOf(await openStore());
      assert.deepEqual(found.find(({ folder }) => folder.ref === one.ref)?.records, [
        { of: 1 },
        { of: 10 },
        { of: 2 * chunkBytes },
      ]);
    });

    test('tells the leaves of the commitment under each key that it was given', async (t) => {
      const study = await (await (await prepare(t))()).createStudy();
      const keys = [1, 2, 3].map(() => randomBytes(32));
      for (const length of [1, 60_000, chunkBytes, chunkBytes + 70_001, 2 * chunkBytes]) {
        const body = randomBytes(length);
        const writer = study.createObject(keys);
        for (let at = 0; at < length; at += 50_000) await writer.write(body.subarray(at, at + 50_000));
        const sealed = await writer.finish();
        assert.equal(sealed.length, length);
        const expected = keys.map((key) =>
          Buffer.concat(
            Array.from({ length: chunkCount(length) }, (_, n) =>
              chunkLeaf(key, n, body.subarray(n * chunkBytes, (n + 1) * chunkBytes)),
            ),
          ),
        );
        assert.deepEqual(
          sealed.leaves.map((leaves) => Buffer.from(leaves)),
          expected,
        );
        await sealed.discard();
      }
    });

    test('an object of another length, tag or name is not opened', async (t) => {
      const store = await (await prepare(t))();
      const study = await store.createStudy();
      const object = await keep(study, randomBytes(1000), 1000);
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
      const writer = study.createObject([]);
      await writer.write(randomBytes(2 * chunkBytes));
      await writer.abort();
      const object = await keep(study, Buffer.from('kept'), 2);
      const [again] = await studiesOf(await openStore());
      assert.ok(again !== undefined);
      assert.equal((await read(again.folder, object)).toString(), 'kept');
    });

    test('objects and records that do not wait for each other stand in the order of the calls', async (t) => {
      const openStore = await prepare(t);
      const study = await (await openStore()).createStudy();
      const bodies = [10, 2 * chunkBytes, 20_000, 1, chunkBytes + 1].map((n) => randomBytes(n));
      const sealed = await Promise.all(bodies.map((body) => write(study, body, 100_000)));
      const objects = await Promise.all(
        sealed.flatMap((each, index) => [
          append(each, () => ({ object: index })),
          study.append({ after: index }).then(() => undefined),
        ]),
      );
      const [again] = await studiesOf(await openStore());
      assert.deepEqual(
        again?.records,
        bodies.flatMap((_, index) => [{ object: index }, { after: index }]),
      );
      for (const [index, body] of bodies.entries()) {
        const object = objects[2 * index];
        assert.ok(object !== undefined && (await read(again.folder, object)).equals(body));
      }
    });

    test('an object that was discarded is nowhere', async (t) => {
      const study = await (await (await prepare(t))()).createStudy();
      await study.append({ is: 'study' });
      for (const length of [10, 2 * chunkBytes])
        await (await write(study, randomBytes(length), 50_000)).discard();
      const object = await keep(study, Buffer.from('kept'), 2);
      assert.equal((await read(study, object)).toString(), 'kept');
    });

    test('a study that rests gives back what it held, and goes on', async (t) => {
      const openStore = await prepare(t);
      const study = await (await openStore()).createStudy();
      for (const number of [1, 2, 3]) {
        await study.append({ number });
        await study.rest();
        await study.rest();
      }
      const object = await keep(study, Buffer.from('kept'), 2);
      const [again] = await studiesOf(await openStore());
      assert.deepEqual(again?.records, [{ number: 1 }, { number: 2 }, { number: 3 }, { ref: object.ref }]);
      assert.equal((await read(again.folder, object)).toString(), 'kept');
    });

    test('an object can be looked at before it is decided whether it is kept', async (t) => {
      const study = await (await (await prepare(t))()).createStudy();
      await study.append({ is: 'study' });
      for (const length of [10, chunkBytes, 2 * chunkBytes + 5]) {
        const body = randomBytes(length);
        const sealed = await write(study, body, 60_000);
        assert.ok((await readToEnd(await sealed.open())).equals(body));
        assert.ok((await read(study, await append(sealed))).equals(body));
      }
    });

    test('a study that was erased is nowhere, and others stay', async (t) => {
      const openStore = await prepare(t);
      const store = await openStore();
      const [one, two] = [await store.createStudy(), await store.createStudy()];
      for (const study of [one, two]) await keep(study, randomBytes(2 * chunkBytes), 60_000);
      await one.remove();
      const found = await studiesOf(await openStore());
      assert.deepEqual(
        found.map(({ folder }) => folder.ref),
        [two.ref],
      );
    });
  });
}
