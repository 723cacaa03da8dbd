/**
 * Power loss, which kill -9 does not show: a reception is recorded, and cut at every point, with what was not flushed
 * dropped, torn into sectors or kept, in fixed and in random combinations. Each time the box is opened anew by the same
 * code; then it goes on, and is cut once more while it does.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { FileSystem, StoredFile } from '../../firmware/src/store/file-system.ts';
import {
  allDropped,
  allKept,
  anyOf,
  bytesKeptNamesDropped,
  namesKeptBytesDropped,
  PowerCutDisk,
  type DiskImage,
  type Fates,
} from '../fakes/power-cut-disk.ts';
import { CipherWatch } from '../support/cipher-watch.ts';
import { acknowledgedBy, freshDisk, PowerCutStory, type Acknowledged } from '../support/power-cut-story.ts';
import { randomFrom } from './random.ts';

/** `HILUM_POWER_CUT_SEEDS=…` looks at more random combinations of each cut. */
const seeds = Number(process.env['HILUM_POWER_CUT_SEEDS'] ?? 1);

const story = new PowerCutStory(createHash('sha256').update('box key of power cuts').digest());

interface Recording {
  readonly disk: PowerCutDisk;
  readonly acknowledged: readonly Acknowledged[];
}

async function record(
  seed: number,
  between: (disk: FileSystem) => FileSystem = (disk) => disk,
): Promise<Recording> {
  const disk = new PowerCutDisk(await freshDisk(), randomFrom(seed));
  return { disk, acknowledged: await story.receive(disk, between(disk)) };
}

interface Cut {
  readonly name: string;
  readonly image: DiskImage;
  readonly acknowledged: readonly Acknowledged[];
}

/** What a cut after so many events may leave. */
function* cutsAt({ disk, acknowledged }: Recording, events: number): Generator<Cut> {
  const fixed: readonly (readonly [string, Fates])[] = [
    ['all dropped', allDropped],
    ['all kept', allKept],
    ['bytes kept, names dropped', bytesKeptNamesDropped],
    ['names kept, bytes dropped', namesKeptBytesDropped],
    ['all torn', () => 'torn'],
  ];
  const atRandom = Array.from(
    { length: seeds },
    (_, seed) => [`seed ${seed}`, anyOf(randomFrom(events * 1_000 + seed))] as const,
  );
  for (const [name, fates] of [...fixed, ...atRandom])
    yield {
      name: `cut after ${events} events, ${name}`,
      image: disk.cutAfter(events, fates, randomFrom(events)),
      acknowledged: acknowledgedBy(acknowledged, events),
    };
}

/** Recovers; then once more, after a cut at a random point of that. @throws what is wrong, naming the cut. */
async function survive({ name, image, acknowledged }: Cut, seed: number): Promise<void> {
  const random = randomFrom(seed);
  try {
    const disk = new PowerCutDisk(image, random);
    const after = await story.recover(disk, acknowledged);
    const events = random.below(disk.events + 1);
    const second = disk.cutAfter(events, anyOf(random), random);
    await story.recover(new PowerCutDisk(second, random), acknowledgedBy(after, events));
  } catch (cause) {
    throw new Error(name, { cause });
  }
}

test('what was acknowledged survives a power cut at any point, and nothing is there in halves', async (t) => {
  const watch = new CipherWatch();
  t.after(() => watch.stop());
  const moved: string[] = [];
  const recording = await record(1, (disk) => onMove(disk, (path) => moved.push(path)));
  assert.equal(recording.acknowledged.length, 15, 'all was acknowledged while the power lasted');
  assert.equal(moved.length, 2, 'logs that moved into spares');
  let cuts = 0;
  for (let events = 0; events <= recording.disk.events; events++)
    for (const cut of cutsAt(recording, events)) await survive(cut, ++cuts);
  t.diagnostic(`${recording.disk.events} events, ${cuts} cuts, ${watch.encryptions} encryptions`);
  assert.equal(watch.repeated, 0, 'a key and nonce served twice');
});

/** A disk whose files are changed so. */
function withFiles(disk: FileSystem, change: (file: StoredFile, path: string) => StoredFile): FileSystem {
  return {
    open: async (path, flags) => change(await disk.open(path, flags), path),
    rename: (from, to) => disk.rename(from, to),
    link: (path, second) => disk.link(path, second),
    remove: (path) => disk.remove(path),
    makeFolder: (path) => disk.makeFolder(path),
    list: (folder) => disk.list(folder),
    exists: (path) => disk.exists(path),
    isSameFile: (one, other) => disk.isSameFile(one, other),
    syncFolder: (folder) => disk.syncFolder(folder),
  };
}

function changed(file: StoredFile, change: Partial<StoredFile>): StoredFile {
  return {
    read: (bytes, offset) => file.read(bytes, offset),
    write: (pieces, offset) => file.write(pieces, offset),
    writeThrough: (pieces, offset) => file.writeThrough(pieces, offset),
    datasync: () => file.datasync(),
    sync: () => file.sync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
    ...change,
  };
}

const nothing = (): Promise<void> => Promise.resolve();

const isSpare = (path: string): boolean => path.endsWith('.spare');

/** Tells of each spare, by its former name, that has become a log. */
function onMove(disk: FileSystem, tell: (spare: string, log: string) => void): FileSystem {
  return {
    ...withFiles(disk, (file) => file),
    rename: async (from, to) => {
      await disk.rename(from, to);
      if (isSpare(from)) tell(from, to);
    },
  };
}

/** Faults that a store could have. The same as leaving a call out, or misplacing it, in its code. */
const mutants: Readonly<Record<string, (disk: FileSystem) => FileSystem>> = {
  'the log is not flushed': (disk) =>
    withFiles(disk, (file) =>
      changed(file, { writeThrough: (pieces, offset) => file.write(pieces, offset), datasync: nothing }),
    ),
  'files are not flushed': (disk) => withFiles(disk, (file) => changed(file, { sync: nothing })),
  'folders are not flushed': (disk) => ({ ...withFiles(disk, (file) => file), syncFolder: nothing }),
  'an object is acknowledged while its flush is under way': (disk) =>
    withFiles(disk, (file) => {
      let flushing = nothing();
      return changed(file, {
        writeThrough: (pieces, offset) => {
          flushing = file.writeThrough(pieces, offset);
          return nothing();
        },
        datasync: () => {
          flushing = file.datasync();
          return nothing();
        },
        close: async () => {
          await flushing;
          await file.close();
        },
      });
    }),
  'a log moves into a spare that is not flushed': (disk) => {
    const moved = new Set<string>();
    const files = onMove(disk, (spare) => moved.add(spare));
    return withFiles(files, (file, path) =>
      isSpare(path)
        ? changed(file, { datasync: () => (moved.has(path) ? file.datasync() : nothing()) })
        : file,
    );
  },
  'the name of a log that moved is not flushed': (disk) => {
    const moved = new Set<string>();
    return {
      ...onMove(disk, (_, log) => moved.add(dirname(log))),
      syncFolder: (folder) => (moved.has(folder) ? nothing() : disk.syncFolder(folder)),
    };
  },
  'a file gets its name before it is flushed': (disk) => {
    const late = new Map<string, () => Promise<void>>();
    const files = withFiles(disk, (file, path) =>
      changed(file, {
        sync: () => Promise.resolve(void late.set(path, () => file.sync())),
        close: () => (late.has(path) ? nothing() : file.close()),
      }),
    );
    return {
      ...files,
      rename: async (from, to) => {
        await disk.rename(from, to);
        await late.get(from)?.();
        late.delete(from);
      },
    };
  },
};

/** Something acknowledged is lost, or what was being written looks like damage. */
function isLoss(error: unknown): boolean {
  assert.ok(error instanceof Error);
  const { cause } = error;
  if (cause instanceof AppError) return cause.code === 'STORE_CORRUPT';
  return cause instanceof assert.AssertionError && /was acknowledged|in halves|leftovers/.test(cause.message);
}

for (const [name, between] of Object.entries(mutants)) {
  test(`a store in which ${name} is caught`, async () => {
    const recording = await record(1, between);
    assert.equal(recording.acknowledged.length, 15, 'without a power cut nothing is seen of it');
    await assert.rejects(async () => {
      // From the end: most was acknowledged by then.
      for (let events = recording.disk.events; events >= 0; events--)
        for (const cut of cutsAt(recording, events)) await survive(cut, events);
    }, isLoss);
  });
}
