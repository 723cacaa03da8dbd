/**
 * A disk without room, a read-only one and one that fails writes, behind the real SCP: no object is answered 0x0000 that
 * cannot be read afterwards, and the box takes objects again by itself.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConfiguredMarks } from '../../firmware/src/ingest/disk-marks.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { runTool } from '../support/dimse-tools.ts';
import { ReceivingProcess } from '../support/receiving-process.ts';
import { sampleFile, sampleObject, sha256Of, type SampleObject } from '../support/sample-object.ts';
import { associate, send } from '../support/sample-sender.ts';
import { SmallDisk } from '../support/small-disk.ts';

const mebibyte = 1_048_576;
const outOfResources = 0xa700;

/** A box on a disk of this size, so much of it free, both in MiB. Without marks only the file system itself refuses. */
async function make(t: TestContext, size: number, free: number, marks?: ConfiguredMarks) {
  const parent = await mkdtemp(join(tmpdir(), 'hilum-disk-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const disk = await SmallDisk.mount(parent, size * mebibyte);
  t.after(() => disk.stop());
  await disk.fillUpTo(free * mebibyte);
  const boxKey = randomBytes(32);
  const folder = join(disk.folder, 'objects');
  const start = async (): Promise<ReceivingProcess> => {
    const started = await ReceivingProcess.start({
      folder,
      boxKey,
      within: disk.within,
      ...(marks !== undefined && { marks }),
    });
    t.after(() => started.stop());
    return started;
  };
  return { parent, disk, box: await start(), start };
}

let studies = 0;

/** So many objects of one study. */
function* objectsOf(count: number, pixelBytes: number): Generator<SampleObject> {
  const studyInstanceUid = `1.2.826.0.1.3680043.10.1.${++studies}`;
  for (let number = 1; number <= count; number++)
    yield sampleObject({ studyInstanceUid, number, pixelBytes, seed: studies * 10_000 + number });
}

/** What was answered 0x0000, with its SHA-256, and all other statuses. */
class Answers {
  readonly kept = new Map<string, string>();
  readonly failures = new Set<number>();

  async gather(answers: ReturnType<typeof send>): Promise<void> {
    for await (const { object, status } of answers) {
      if (status === 0) this.kept.set(object.sopInstanceUid, sha256Of(object.dataSet));
      else this.failures.add(status);
    }
  }
}

/** All that was answered 0x0000 can be read, by the running box and by the one that is started after it. */
async function assertAllThere(
  { kept }: Answers,
  box: ReceivingProcess,
  start: () => Promise<ReceivingProcess>,
): Promise<void> {
  const assertHolds = async (holder: ReceivingProcess): Promise<void> => {
    const objects = await holder.objects();
    for (const [uid, sha256] of kept) assert.equal(objects.get(uid), sha256, `${uid} was acknowledged`);
  };
  await assertHolds(box);
  await box.stop();
  await assertHolds(await start());
}

/** Until associations are answered so: the box looks at a disk that is low each second. */
async function answered(port: number, expected: 'admitted' | 'rejected'): Promise<void> {
  for (;;) {
    let answer: typeof expected = 'admitted';
    try {
      await (await associate(port)).release();
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === 'DELIVERY_FAILED', String(error));
      assert.match(error.message, /temporary congestion \(transient; result 2, source 3, reason 1\)/);
      answer = 'rejected';
    }
    if (answer === expected) return;
    await delay(50);
  }
}

test('a disk that fills up while four associations send: 0xA700, and on when there is room', async (t) => {
  const { disk, box, start } = await make(t, 96, 16);
  const port = await box.port;
  const answers = new Answers();
  const sizes = [20_000, 500_000, 500_000, 2_500_000];
  await Promise.all(sizes.map((bytes) => answers.gather(send(port, objectsOf(40, bytes)))));
  assert.deepEqual([...answers.failures], [outOfResources]);
  assert.ok(answers.kept.size > 10, `${answers.kept.size} were kept before`);
  assert.ok((await box.alarms()).includes('STORE_FAILED'));

  await disk.makeRoom();
  const again = new Answers();
  await again.gather(send(port, objectsOf(5, 500_000)));
  assert.deepEqual([again.kept.size, [...again.failures]], [5, []]);
  assert.deepEqual(await box.alarms(), []);
  for (const [uid, sha256] of again.kept) answers.kept.set(uid, sha256);
  await assertAllThere(answers, box, start);
});

test('a study that met the full disk goes on when there is room', async (t) => {
  const { disk, box, start } = await make(t, 64, 8);
  const objects = [...objectsOf(60, 500_000)];
  const answers = new Answers();
  await answers.gather(send(await box.port, objects));
  assert.deepEqual([...answers.failures], [outOfResources]);
  const before = answers.kept.size;

  await disk.makeRoom();
  await answers.gather(send(await box.port, objects));
  assert.ok(before > 0 && before < objects.length, `${before} of ${objects.length} fitted`);
  assert.equal(answers.kept.size, objects.length);
  await assertAllThere(answers, box, start);
});

test('with watermarks nothing is begun that cannot be ended, and modalities are admitted again by themselves', async (t) => {
  const marks: ConfiguredMarks = { alarmFreeBytes: 300 * mebibyte, refuseFreeBytes: 100 * mebibyte };
  const { disk, box, start } = await make(t, 400, 200, marks);
  const port = await box.port;
  const answers = new Answers();
  await Promise.all([1, 2, 3].map(() => answers.gather(send(port, objectsOf(80, 500_000)))));
  assert.deepEqual([...answers.failures], [outOfResources]);
  assert.ok((await box.alarms()).includes('DISK_LOW'));
  assert.ok(!(await box.alarms()).includes('STORE_FAILED'), 'no write met a full disk');

  await disk.makeRoom();
  await disk.fillUpTo(90 * mebibyte);
  await answered(port, 'rejected');
  const echo = await runTool('echoscu', ['-aec', 'HILUM', '127.0.0.1', String(port)]);
  assert.equal(echo.code, 0, `C-ECHO is answered: ${echo.output}`);

  await disk.makeRoom();
  await answered(port, 'admitted');
  await assertAllThere(answers, box, start);
});

test('a disk that is read-only for a while', async (t) => {
  const { disk, box, start } = await make(t, 64, 32);
  const port = await box.port;
  await disk.remount('ro');
  const answers = new Answers();
  await answers.gather(send(port, objectsOf(3, 100_000)));
  await answers.gather(send(port, objectsOf(1, 2_000_000)));
  assert.deepEqual([answers.kept.size, [...answers.failures]], [0, [outOfResources]]);
  assert.deepEqual(await box.alarms(), ['STORE_FAILED']);

  await disk.remount('rw');
  const again = new Answers();
  await again.gather(send(port, objectsOf(3, 100_000)));
  assert.deepEqual([again.kept.size, [...again.failures]], [3, []]);
  assert.deepEqual(await box.alarms(), []);
  await assertAllThere(again, box, start);
});

test('dcmsend is told the truth by a disk that fills up', async (t) => {
  const { parent, box, start } = await make(t, 64, 8);
  const files = join(parent, 'files');
  await mkdir(files);
  const objects = [...objectsOf(40, 500_000)];
  for (const [index, object] of objects.entries())
    await writeFile(join(files, `${index}.dcm`), sampleFile(object));
  const report = join(parent, 'report.txt');
  const args = ['-aec', 'HILUM', '--no-halt', '--create-report-file', report, '127.0.0.1'];
  await runTool('dcmsend', [...args, String(await box.port), '--scan-directories', files]);
  const [kept, failed] = await statusesIn(report);
  assert.ok(kept.length > 0 && failed.length > 0, `${kept.length} kept, ${failed.length} failed`);
  const answers = new Answers();
  for (const object of objects)
    if (kept.includes(object.sopInstanceUid))
      answers.kept.set(object.sopInstanceUid, sha256Of(object.dataSet));
  assert.equal(answers.kept.size, kept.length);
  await assertAllThere(answers, box, start);
});

/** SOP Instance UIDs of dcmsend's report: those stored with success, and all others. */
async function statusesIn(report: string): Promise<[kept: string[], failed: string[]]> {
  const text = await readFile(report, 'utf8');
  const kept: string[] = [];
  const failed: string[] = [];
  for (const part of text.split(/^Number {2,}: /m)) {
    const uid = /^SOP Instance +: ([0-9.]+)$/m.exec(part)?.[1];
    const status = /^DIMSE Status +: (0x[0-9a-f]{4})/im.exec(part)?.[1];
    if (uid !== undefined && status !== undefined) (status === '0x0000' ? kept : failed).push(uid);
  }
  return [kept, failed];
}
