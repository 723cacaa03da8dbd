import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import type { StoredObject } from '../../firmware/src/ports.ts';
import { segmentBytes } from '../../firmware/src/store/limits.ts';
import { nodeFileSystem } from '../../firmware/src/store/file-system.ts';
import { Leftovers } from '../../firmware/src/store/leftovers.ts';
import { SealedReader, type ObjectPlace } from '../../firmware/src/store/object-reader.ts';
import { newObjectKey, saltBytes, openSegment } from '../../firmware/src/store/object-seal.ts';
import { SealingWriter } from '../../firmware/src/store/object-writer.ts';
import { sealOnLoop, type OpenSegmentOf } from '../../firmware/src/store/segment-sealing.ts';
import { openSealThreads } from '../support/seal-threads.ts';
import { readToEnd } from '../support/stored-object.ts';
import vector from '../vectors/sealed-object.json' with { type: 'json' };

const studyRef = '00112233445566778899aabbccddeeff';
const studyKey = randomBytes(32);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-object-'));
});
after(() => rm(folder, { recursive: true }));

function newWriter(): { readonly ref: string; readonly writer: SealingWriter } {
  const ref = toHex(randomBytes(16));
  const key = newObjectKey(studyKey, studyRef, ref, randomBytes(saltBytes));
  const path = join(folder, ref);
  const writer = new SealingWriter({
    files: nodeFileSystem,
    leftovers: new Leftovers(nodeFileSystem),
    path,
    key,
    leafKeys: [],
    openSegment: sealOnLoop,
  });
  return { ref, writer };
}

/** As a file, whatever its size. */
async function write(bytes: Uint8Array, pieceBytes: number): Promise<StoredObject> {
  const { ref, writer } = newWriter();
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await writer.write(bytes.subarray(at, at + pieceBytes));
  const { pieces, length, lastTag } = await writer.finish();
  if (pieces !== undefined) await writeFile(join(folder, ref), Buffer.concat(pieces), { mode: 0o600 });
  return { ref, frame: null, length, lastTag };
}

async function read(stored: StoredObject, of: Partial<ObjectPlace> = {}): Promise<Buffer> {
  const place = { files: nodeFileSystem, folder, log: 'study.log', studyRef, studyKey, ...of };
  return readToEnd(await SealedReader.open(place, stored));
}

/** Reads it with a file that was changed, and puts the file right again. */
async function readDamaged(stored: StoredObject, change: (file: Buffer) => Buffer): Promise<unknown> {
  const path = join(folder, stored.ref);
  const intact = await readFile(path);
  await writeFile(path, change(Buffer.from(intact)));
  try {
    return await read(stored).then(
      () => 'read',
      (error: unknown) => error,
    );
  } finally {
    await writeFile(path, intact);
  }
}

for (const length of [0, 1, segmentBytes - 1, segmentBytes, segmentBytes + 1, 3 * segmentBytes]) {
  test(`${length} bytes come back as they were, in segments of 1 MiB`, async () => {
    const bytes = randomBytes(length);
    const stored = await write(bytes, 100_000);
    assert.equal(stored.length, length);
    assert.ok(bytes.equals(await read(stored)));
  });
}

test('an object of one segment makes no file; of a larger one two segments at most are in memory', async () => {
  const { ref, writer } = newWriter();
  await writer.write(randomBytes(segmentBytes));
  assert.ok(!(await readdir(folder)).includes(`${ref}.part`));
  for (let i = 0; i < 5; i++) {
    await writer.write(randomBytes(segmentBytes));
    // The one that was written last may be on its way, and the next is being filled.
    const { size } = await stat(join(folder, `${ref}.part`)).catch(() => ({ size: 0 }));
    assert.ok(size >= i * segmentBytes, `${size} of ${i + 2} segments are in the file`);
  }
  await writer.abort();
});

test('the file shows nothing of the object', async () => {
  const bytes = Buffer.alloc(200_000, 'Okafor^Imani');
  const stored = await write(bytes, 50_000);
  const file = await readFile(join(folder, stored.ref));
  assert.ok(!file.includes('Okafor'));
  assert.equal((await stat(join(folder, stored.ref))).mode & 0o777, 0o600);
});

test('the same bytes twice have different ciphertexts', async () => {
  const bytes = Buffer.alloc(1000, 7);
  const files = await Promise.all(
    [1, 2].map(async () => readFile(join(folder, (await write(bytes, 1000)).ref))),
  );
  assert.ok(!files[0]!.subarray(73).equals(files[1]!.subarray(73)));
});

test('a changed, truncated, extended or reordered file is not read', async () => {
  const stored = await write(randomBytes(3 * segmentBytes), segmentBytes);
  const sealed = segmentBytes + 16;
  const damages: Record<string, (file: Buffer) => Buffer> = {
    'a flipped bit in the header': (file) => (file.writeUInt8(file.readUInt8(60) ^ 1, 60), file),
    'a flipped bit in a segment': (file) => (file.writeUInt8(file.readUInt8(5000) ^ 1, 5000), file),
    'a flipped bit in the last tag': (file) => (
      file.writeUInt8(file.readUInt8(file.length - 1) ^ 1, file.length - 1),
      file
    ),
    'the last segment cut off': (file) => file.subarray(0, file.length - sealed),
    'a byte cut off': (file) => file.subarray(0, file.length - 1),
    'a byte more': (file) => Buffer.concat([file, Buffer.of(0)]),
    'two segments exchanged': (file) =>
      Buffer.concat([
        file.subarray(0, 73),
        file.subarray(73 + sealed, 73 + 2 * sealed),
        file.subarray(73, 73 + sealed),
        file.subarray(73 + 2 * sealed),
      ]),
    'another version': (file) => (file.writeUInt8(2, 8), file),
  };
  for (const [name, change] of Object.entries(damages)) {
    const outcome = await readDamaged(stored, change);
    assert.equal((outcome as { code?: string }).code, 'STORE_CORRUPT', name);
  }
  assert.equal((await read(stored)).length, 3 * segmentBytes);
});

test('a file does not open as another object, of another study or under another key', async () => {
  const stored = await write(randomBytes(10), 10);
  const other = { ...stored, ref: 'ff'.repeat(16) };
  await assert.rejects(read(other), { code: 'STORE_CORRUPT' });
  await assert.rejects(read(stored, { studyRef: 'ab'.repeat(16) }), { code: 'STORE_CORRUPT' });
  await assert.rejects(read(stored, { studyKey: randomBytes(32) }), { code: 'STORE_CORRUPT' });
  const exchanged = { ...stored, lastTag: new Uint8Array(16) };
  await assert.rejects(read(exchanged), { code: 'STORE_CORRUPT' });
});

test('an aborted object leaves nothing', async () => {
  const before = (await readdir(folder)).length;
  const { writer } = newWriter();
  await writer.write(randomBytes(2 * segmentBytes));
  assert.equal((await readdir(folder)).length, before + 1);
  await writer.abort();
  assert.equal((await readdir(folder)).length, before);
});

const vectorKey = newObjectKey(
  fromHex(vector.studyKey),
  vector.studyRef,
  vector.objectRef,
  fromHex(vector.salt),
);

test('golden vector: header, key, and what opens a segment', () => {
  assert.equal(toHex(vectorKey.header), vector.header);
  assert.equal(toHex(vectorKey.key), vector.key);
  const last = Buffer.from('the last segment');
  assert.ok(last.equals(openSegment(vectorKey, 1, fromHex(vector.sealedLast))));
  assert.throws(() => openSegment(vectorKey, 0, fromHex(vector.sealedLast)), 'each segment has its place');
});

for (const [where, opener] of [
  ['the event loop', () => Promise.resolve(sealOnLoop)],
  ['a thread', openSealThreads],
] as const) {
  test(`golden vector: two segments, sealed on ${where}`, async (t) => {
    const open: OpenSegmentOf = await opener(t);
    const seal = async (index: number, plaintext: Uint8Array): Promise<Buffer> => {
      const segment = open({ seal: vectorKey.key, leaves: [] }, index);
      // In two pieces, as bytes arrive.
      segment.write(plaintext.subarray(0, 5));
      segment.write(plaintext.subarray(5));
      const { pieces, tag, release } = await segment.end();
      const sealed = Buffer.concat(pieces);
      assert.ok(sealed.subarray(-16).equals(tag));
      release();
      return sealed;
    };
    const first = await seal(0, Buffer.alloc(segmentBytes, 0x61));
    assert.equal(createHash('sha256').update(first).digest('hex'), vector.sealedFirstSha256);
    assert.equal((await seal(1, Buffer.from('the last segment'))).toString('hex'), vector.sealedLast);
  });
}
