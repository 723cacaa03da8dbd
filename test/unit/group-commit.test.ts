/** Several associations of one study wait for one flush, and nobody is told of anything before it has ended. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { StoringBox } from '../support/storing-box.ts';
import { until } from '../support/until.ts';

/** A disk whose flushes of files end only when they are let go. */
class GatedDisk {
  flushes = 0;
  #gate = Promise.resolve();
  #open: () => void = () => undefined;
  #error: Error | undefined;

  readonly files: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags) => {
      const file = await nodeFileSystem.open(path, flags);
      const datasync = file.datasync.bind(file);
      file.datasync = async () => {
        this.flushes++;
        await this.#gate;
        if (this.#error !== undefined) throw this.#error;
        await datasync();
      };
      file.writeThrough = async (pieces, offset) => {
        await file.write(pieces, offset);
        await file.datasync();
      };
      return file;
    },
  };

  close(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
  }

  /** With an error, all flushes fail from now on. */
  open(error?: Error): void {
    this.#error = error;
    this.#open();
  }
}

async function boxOn(t: TestContext, disk: GatedDisk): Promise<StoringBox> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-group-'));
  const box = await StoringBox.open(folder, randomBytes(32), disk.files);
  t.after(async () => {
    // A test that failed has left it shut.
    disk.open();
    await box.close();
    await rm(folder, { recursive: true, force: true });
  });
  return box;
}

/** How each of these ended, as it ends. */
function watch(works: readonly Promise<unknown>[]): string[] {
  const ended: string[] = [];
  for (const work of works)
    void work.then(
      () => ended.push('kept'),
      (error: unknown) => ended.push((error as { code?: string }).code ?? 'another fault'),
    );
  return ended;
}

const study = '1.2.3';
const objectsOf = (box: StoringBox): number => box.catalogue.studies()[0]?.objects.length ?? 0;

test('what comes while a flush is under way shares the next, and is neither acknowledged nor listed before', async (t) => {
  const disk = new GatedDisk();
  const box = await boxOn(t, disk);
  await box.keep(study, '1.2.3.0', randomBytes(1000));
  disk.close();
  const before = disk.flushes;
  const first = box.keep(study, '1.2.3.1', randomBytes(1000));
  await until(() => disk.flushes === before + 1, 'the first flush');
  const body = randomBytes(30_000);
  const others = ['1.2.3.2', '1.2.3.3', '1.2.3.4', '1.2.3.5'].map((uid) => box.keep(study, uid, body));
  const repeated = box.keep(study, '1.2.3.2', body);
  const ended = watch([first, ...others, repeated]);
  const elsewhere = randomBytes(50);
  // Another study does not wait for them; its own flush waits at the same gate.
  void watch([box.keep('1.2.9', '1.2.9.1', elsewhere)]);
  await until(() => disk.flushes > before + 1, 'the flush of the other study');
  assert.deepEqual(ended, []);
  assert.equal(objectsOf(box), 1);
  const underWay = disk.flushes;
  disk.open();
  await Promise.all([first, ...others, repeated]);
  assert.deepEqual(new Set(ended), new Set(['kept']));
  assert.equal(objectsOf(box), 6, 'the repetition is kept once');
  assert.ok(disk.flushes <= underWay + 2, `${disk.flushes - underWay} flushes more for four objects`);
});

test('a flush that fails is told to all who waited for it, the repetition too', async (t) => {
  const disk = new GatedDisk();
  const box = await boxOn(t, disk);
  await box.keep(study, '1.2.3.0', randomBytes(1000));
  disk.close();
  const before = disk.flushes;
  const body = randomBytes(500);
  const works = ['1.2.3.1', '1.2.3.2', '1.2.3.2'].map((uid) => box.keep(study, uid, body));
  const ended = watch(works);
  await until(() => disk.flushes > before, 'the flush');
  disk.open(new Error('EIO'));
  await Promise.allSettled(works);
  assert.deepEqual(ended, ['STORE_FAILED', 'STORE_FAILED', 'STORE_FAILED']);
  assert.equal(objectsOf(box), 1);
});
