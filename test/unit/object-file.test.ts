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
import {
  newFileKey,
  ObjectFileReader,
  ObjectFileWriter,
  openSegment,
  sealSegment,
} from '../../firmware/src/store/object-file.ts';
import vector from '../vectors/object-file.json' with { type: 'json' };

const studyRef = '00112233445566778899aabbccddeeff';
const studyKey = randomBytes(32);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-object-'));
});
after(() => rm(folder, { recursive: true }));

async function write(
  bytes: Uint8Array,
  chunkBytes: number,
): Promise<{ stored: StoredObject; segments: Buffer[] }> {
  const segments: Buffer[] = [];
  const writer = await ObjectFileWriter.create(
    nodeFileSystem,
    folder,
    studyKey,
    studyRef,
    (index, segment) => {
      assert.equal(index, segments.length);
      segments.push(Buffer.from(segment));
    },
  );
  for (let at = 0; at < bytes.length; at += chunkBytes)
    await writer.write(bytes.subarray(at, at + chunkBytes));
  return { stored: await writer.finish(), segments };
}

async function read(stored: StoredObject): Promise<Buffer> {
  const reader = await ObjectFileReader.open(nodeFileSystem, folder, studyKey, studyRef, stored);
  try {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < reader.segmentCount; index++) parts.push(await reader.segment(index));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
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
    const { stored, segments } = await write(bytes, 100_000);
    assert.equal(stored.length, length);
    assert.ok(bytes.equals(await read(stored)));
    assert.ok(bytes.equals(Buffer.concat(segments)), 'the commitment sees what is written');
    assert.ok(segments.slice(0, -1).every((segment) => segment.length === segmentBytes));
  });
}

test('the file shows nothing of the object', async () => {
  const bytes = Buffer.alloc(200_000, 'Okafor^Imani');
  const { stored } = await write(bytes, 50_000);
  const file = await readFile(join(folder, stored.ref));
  assert.ok(!file.includes('Okafor'));
  assert.equal((await stat(join(folder, stored.ref))).mode & 0o777, 0o600);
});

test('the same bytes twice have different ciphertexts', async () => {
  const bytes = Buffer.alloc(1000, 7);
  const files = await Promise.all(
    [1, 2].map(async () => readFile(join(folder, (await write(bytes, 1000)).stored.ref))),
  );
  assert.ok(!files[0]!.subarray(80).equals(files[1]!.subarray(80)));
});

test('a changed, truncated, extended or reordered file is not read', async () => {
  const { stored } = await write(randomBytes(3 * segmentBytes), segmentBytes);
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
        file.subarray(0, 80),
        file.subarray(80 + sealed, 80 + 2 * sealed),
        file.subarray(80, 80 + sealed),
        file.subarray(80 + 2 * sealed),
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
  const { stored } = await write(randomBytes(10), 10);
  const other = { ...stored, ref: 'ff'.repeat(16) };
  await assert.rejects(read(other), { code: 'STORE_CORRUPT' });
  await assert.rejects(ObjectFileReader.open(nodeFileSystem, folder, studyKey, 'ab'.repeat(16), stored), {
    code: 'STORE_CORRUPT',
  });
  const wrongKey = await ObjectFileReader.open(nodeFileSystem, folder, randomBytes(32), studyRef, stored);
  await assert.rejects(wrongKey.segment(0), { code: 'STORE_CORRUPT' });
  await wrongKey.close();
  const exchanged = { ...stored, lastTag: new Uint8Array(16) };
  await assert.rejects(read(exchanged), { code: 'STORE_CORRUPT' });
});

test('an aborted object leaves nothing', async () => {
  const before = (await readdir(folder)).length;
  const writer = await ObjectFileWriter.create(nodeFileSystem, folder, studyKey, studyRef, () => undefined);
  await writer.write(randomBytes(2 * segmentBytes));
  assert.equal((await readdir(folder)).length, before + 1);
  await writer.abort();
  assert.equal((await readdir(folder)).length, before);
});

test('golden vector: header, key and two segments', () => {
  const file = newFileKey(
    fromHex(vector.studyKey),
    vector.studyRef,
    vector.objectRef,
    fromHex(vector.salt),
    fromHex(vector.noncePrefix),
  );
  assert.equal(toHex(file.header), vector.header);
  assert.equal(toHex(file.key), vector.key);
  const first = Buffer.alloc(segmentBytes, 0x61);
  const last = Buffer.from('the last segment');
  assert.equal(
    createHash('sha256')
      .update(Buffer.concat(sealSegment(file, 0, false, first)))
      .digest('hex'),
    vector.sealedFirstSha256,
  );
  assert.equal(Buffer.concat(sealSegment(file, 1, true, last)).toString('hex'), vector.sealedLast);
  assert.ok(openSegment(file, 1, true, fromHex(vector.sealedLast)).equals(last));
  assert.throws(() => openSegment(file, 1, false, fromHex(vector.sealedLast)), 'the last segment is marked');
});
