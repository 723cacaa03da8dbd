/** The disk of the power-cut tests forgets what POSIX lets it forget, and nothing else: else it would show nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  allDropped,
  allKept,
  anyOf,
  bytesKeptNamesDropped,
  emptyDisk,
  namesKeptBytesDropped,
  PowerCutDisk,
  type DiskImage,
  type Fates,
} from '../fakes/power-cut-disk.ts';
import { randomFrom } from '../sim/random.ts';

const make = (image: DiskImage = emptyDisk) => new PowerCutDisk(image, randomFrom(1));

const after = (disk: PowerCutDisk, fates: Fates, events = disk.events): PowerCutDisk =>
  make(disk.cutAfter(events, fates, randomFrom(2)));

async function contentOf(disk: PowerCutDisk, path: string): Promise<string> {
  if (!(await disk.exists(path))) return 'absent';
  const file = await disk.open(path, 'r');
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0);
  return bytes.toString('latin1');
}

/** A file whose name is safe, with these bytes written and not flushed. */
async function withFile(text: string) {
  const disk = make();
  const file = await disk.open('/a', 'wx+');
  await disk.syncFolder('/');
  await file.write([Buffer.from(text)], 0);
  return { disk, file };
}

test('bytes are safe once they were flushed, and not before', async () => {
  const { disk, file } = await withFile('one');
  assert.equal(await contentOf(after(disk, allDropped), '/a'), '');
  assert.equal(await contentOf(after(disk, allKept), '/a'), 'one');
  const before = disk.events;
  await file.datasync();
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'one');
  // The flush had begun, and had not ended.
  assert.equal(await contentOf(after(disk, allDropped, before + 1), '/a'), '');
  await file.write([Buffer.from('two')], 3);
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'one');
});

test('a flush covers what was written when it began, not what is written meanwhile', async () => {
  const { disk, file } = await withFile('one');
  const flushing = file.datasync();
  await file.write([Buffer.from('two')], 3);
  await flushing;
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'one');
});

test('a name is safe once its folder was flushed, whatever was flushed of the file', async () => {
  const disk = make();
  const file = await disk.open('/a', 'wx+');
  await file.write([Buffer.from('one')], 0);
  await file.sync();
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'absent');
  assert.equal(await contentOf(after(disk, namesKeptBytesDropped), '/a'), 'one');
  await disk.syncFolder('/');
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'one');
});

test('a rename may have happened or not, without its bytes or before the name that it took', async () => {
  const disk = make();
  const file = await disk.open('/a.part', 'wx+');
  await file.write([Buffer.from('one')], 0);
  await disk.rename('/a.part', '/a');
  const renamed = after(disk, namesKeptBytesDropped);
  assert.deepEqual(renamed.paths(), ['/a']);
  assert.equal(await contentOf(renamed, '/a'), '');
  assert.deepEqual(after(disk, bytesKeptNamesDropped).paths(), []);
  // The rename without the creation before it.
  const onlyLast = after(disk, (event) => (event === disk.events - 2 ? 'kept' : 'dropped'));
  assert.deepEqual(onlyLast.paths(), ['/a']);
});

test('what was removed may come back', async () => {
  const { disk, file } = await withFile('one');
  await file.datasync();
  await disk.remove('/a');
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'one');
  assert.equal(await contentOf(after(disk, allKept), '/a'), 'absent');
  await disk.syncFolder('/');
  assert.equal(await contentOf(after(disk, allDropped), '/a'), 'absent');
});

test('a folder that was not flushed takes all that is in it along', async () => {
  const disk = make();
  await disk.makeFolder('/f/g');
  await (await disk.open('/f/g/a', 'wx+')).close();
  await disk.syncFolder('/f/g');
  await disk.syncFolder('/f');
  assert.deepEqual(after(disk, allDropped).paths(), []);
  await disk.syncFolder('/');
  assert.deepEqual(after(disk, allDropped).paths(), ['/f/', '/f/g/', '/f/g/a']);
});

test('a torn write leaves whole sectors, old ones or new ones, and in time any combination', async () => {
  const { disk, file } = await withFile('.'.repeat(1536));
  await file.datasync();
  await file.write([Buffer.from('x'.repeat(1536))], 0);
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const image = disk.cutAfter(disk.events, () => 'torn', randomFrom(seed));
    const content = await contentOf(make(image), '/a');
    const sectors = [0, 512, 1024].map((at) => content.slice(at, at + 512));
    for (const sector of sectors) assert.match(sector, /^(\.{512}|x{512})$/);
    seen.add(sectors.map((sector) => sector[0]).join(''));
  }
  assert.equal(seen.size, 8);
});

test('a file that grew may be of any length and have zeros where nothing was written', async () => {
  const { disk } = await withFile('x'.repeat(1024));
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const content = await contentOf(
      make(disk.cutAfter(disk.events, anyOf(randomFrom(seed)), randomFrom(seed))),
      '/a',
    );
    seen.add(
      content.replaceAll(/(.)\1*/gs, (run, first: string) => `${first === 'x' ? 'x' : '0'}${run.length} `),
    );
  }
  assert.deepEqual([...seen].sort(), ['', '01024 ', '0512 x512 ', 'x1024 ', 'x512 ', 'x512 0512 ']);
});

test('a disk goes on from an image without changing it', async () => {
  const { disk, file } = await withFile('one');
  await file.datasync();
  const image = disk.cutAfter(disk.events, allDropped, randomFrom(3));
  const next = make(image);
  const again = await next.open('/a', 'r+');
  await again.truncate(1);
  await (await next.open('/b', 'wx+')).write([Buffer.from('b')], 0);
  assert.equal(await contentOf(make(image), '/a'), 'one');
  assert.equal(await contentOf(next, '/a'), 'o');
  assert.equal(await contentOf(next, '/b'), 'b');
});

test('errors are those of the operating system', async () => {
  const disk = make();
  await assert.rejects(disk.open('/a', 'r+'), { code: 'ENOENT' });
  const file = await disk.open('/a', 'wx+');
  await assert.rejects(disk.open('/a', 'wx+'), { code: 'EEXIST' });
  await assert.rejects(disk.rename('/b', '/c'), { code: 'ENOENT' });
  await file.close();
  await file.close();
  await assert.rejects(file.datasync(), { code: 'EBADF' });
});
