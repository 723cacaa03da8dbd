/** Space that is prepared never brings the disk nearer to an alarm, and is the first that is given back. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DiskSpace } from '../../firmware/src/box/disk-space.ts';
import { spareSpace } from '../../firmware/src/box/spare-space.ts';
import type { Space } from '../../firmware/src/ingest/disk-marks.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle, until } from '../support/until.ts';

const spareBytes = 3_000_000;
const alarmFreeBytes = 5_000_000_000;

/** A box of which only disk and store are there; the free space of the disk is what the test says. */
async function make(t: TestContext, spareLogs: number, freeBytes: number) {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-spare-space-'));
  const studies = new StudyStore({ folder, boxKey: randomBytes(32) });
  for await (const { folder: study } of studies.open()) assert.fail(`a new store holds ${study.ref}`);
  const clock = new ManualClock();
  const space = { size: 1e12, free: freeBytes };
  const health = new MemoryHealthBoard();
  const common = { clock, logger: new RecordingLogger() };
  const readSpace = (): Promise<Space> => Promise.resolve({ ...space });
  const disk = new DiskSpace({ ...common, folder, marks: { alarmFreeBytes }, health, readSpace });
  await disk.start();
  const spares = spareSpace({ ...common, config: { storage: { spareLogs } }, studies, disk, spareBytes });
  await spares.start();
  t.after(async () => {
    await spares.stop();
    await disk.stop();
    await studies.close();
    await rm(folder, { recursive: true });
  });
  const names = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.spare'));
  return { folder, studies, clock, space, disk, health, names };
}

test('a spare is made on an ample disk, and given back when the disk gets low', async (t) => {
  const { studies, clock, space, disk, health, names } = await make(t, 1, alarmFreeBytes + spareBytes);
  clock.advance(500);
  await until(() => studies.spares.count === 1, 'a spare');
  space.free = alarmFreeBytes;
  await disk.look();
  await settle();
  assert.equal(studies.spares.count, 1);
  space.free -= 1;
  await disk.look();
  await until(() => names().length === 0, 'no spare');
  assert.equal(studies.spares.take(), undefined);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['DISK_LOW'],
  );
});

test('none is made where the disk would be low with it, or where they are switched off', async (t) => {
  for (const [count, free] of [
    [1, alarmFreeBytes + spareBytes - 1],
    [2, alarmFreeBytes + 2 * spareBytes - 1],
    [0, 1e12],
  ] as const) {
    const { clock, names } = await make(t, count, free);
    for (let i = 0; i < 5; i++) {
      clock.advance(500);
      await settle();
    }
    assert.deepEqual(names(), [], `${count} spares with ${free} bytes free`);
  }
});

test('space that was taken ahead for a study is given back when the disk gets low, and the study goes on', async (t) => {
  const { folder, studies, space, disk } = await make(t, 0, 1e12);
  const study = await studies.createStudy();
  const log = join(folder, study.ref, 'study.log');
  await study.append('before');
  assert.equal((await stat(log)).size, 65_536);
  space.free = 0;
  await disk.look();
  await settle();
  for (let tries = 0; (await stat(log)).size > 1000; tries++) assert.ok(tries < 1000, 'it is given back');
  await study.append('after');
  await studies.close();
  assert.deepEqual(await readdir(folder), [study.ref]);
});
