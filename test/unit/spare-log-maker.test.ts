/** Spares are made in peace and quiet, by little steps, and never at the expense of studies. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SpareLogMaker } from '../../firmware/src/store/spare-log-maker.ts';
import { spareQuietMs, spareRetryMs } from '../../firmware/src/store/limits.ts';
import { SpareLogs } from '../../firmware/src/store/spare-logs.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle, until } from '../support/until.ts';
import { watchedDisk, type Watch } from '../support/watched-disk.ts';

const stepBytes = 4096;
const bytes = 4 * stepBytes;
const zeros = Buffer.alloc(bytes);

interface Options {
  readonly count?: number;
  readonly watch?: Watch;
  readonly hasRoom?: (bytes: number) => boolean;
}

async function make(t: TestContext, { count = 2, watch = () => undefined, hasRoom = () => true }: Options) {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-spares-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const spares = new SpareLogs(watchedDisk(watch), folder);
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const looks: number[] = [];
  const maker = new SpareLogMaker({
    spares,
    count,
    bytes,
    stepBytes,
    clock,
    logger,
    hasRoom: (more) => {
      looks.push(more);
      return Promise.resolve(hasRoom(more));
    },
  });
  t.after(() => maker.stop());
  const files = (): Buffer[] =>
    readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name)));
  /** While nobody writes to studies. */
  const inPeace = (condition: () => boolean, what: string): Promise<void> =>
    until(() => {
      clock.advance(spareQuietMs);
      return condition();
    }, what);
  return { spares, clock, logger, looks, maker, files, inPeace };
}

test('as many spares of zeros as are wanted, and another for each that is taken', async (t) => {
  const { spares, clock, maker, files, looks } = await make(t, {});
  await maker.start();
  await settle();
  assert.deepEqual(files(), [], 'nothing at once');
  clock.advance(spareQuietMs);
  await until(() => spares.count === 2, 'two spares');
  assert.deepEqual(files(), [zeros, zeros]);
  await until(() => looks.length === 3, 'a look at the disk after the last');
  assert.deepEqual(looks, [2 * bytes, bytes, 0]);
  const taken = spares.take();
  assert.ok(taken !== undefined);
  assert.equal(taken.bytes, bytes);
  clock.advance(spareQuietMs);
  await until(() => spares.count === 2, 'another');
  await maker.stop();
  assert.deepEqual(files(), [zeros], 'what was taken stays, all others are removed');
  await taken.file.close();
});

test('it begins only when nothing was written to studies for a while', async (t) => {
  const { spares, clock, maker, files } = await make(t, { count: 1 });
  await maker.start();
  for (let i = 0; i < 5; i++) {
    spares.noticeUse();
    clock.advance(spareQuietMs);
    await settle();
    assert.deepEqual(files(), []);
  }
  clock.advance(spareQuietMs);
  await until(() => spares.count === 1, 'a spare');
});

test('a study that is written to stops it after the step under way; it goes on where it stopped', async (t) => {
  let steps = 0;
  const watch: Watch = ({ call }) => {
    if (call !== 'datasync') return;
    steps += 1;
    if (steps === 2) spares.noticeUse();
  };
  const { spares, maker, files, looks, inPeace } = await make(t, { count: 1, watch });
  await maker.start();
  await inPeace(() => steps === 2, 'two steps');
  await settle();
  assert.equal(steps, 2);
  assert.deepEqual(files(), [zeros.subarray(0, 2 * stepBytes)]);
  assert.equal(spares.take(), undefined, 'what is not whole is nobody’s');
  await inPeace(() => spares.count === 1, 'the rest');
  assert.equal(steps, 4, 'each step once');
  await until(() => looks.length === 3, 'a look after the last');
  assert.deepEqual(looks, [bytes, 2 * stepBytes, 0], 'it was begun twice, the second time for the rest');
  assert.deepEqual(files(), [zeros]);
});

test('none is made on a disk that is not ample; it is asked again later', async (t) => {
  let isAmple = false;
  const { spares, clock, maker, files, looks } = await make(t, { hasRoom: () => isAmple });
  await maker.start();
  clock.advance(spareQuietMs);
  await until(() => looks.length === 1, 'a look');
  await settle();
  isAmple = true;
  clock.advance(spareRetryMs - 1);
  await settle();
  assert.deepEqual([looks.length, files()], [1, []]);
  clock.advance(1);
  await until(() => spares.count === 2, 'two spares');
});

test('all space is given back at once, also of what is being made, and made again later', async (t) => {
  let steps = 0;
  let giving: Promise<void> | undefined;
  const watch: Watch = ({ call }) => {
    // In the midst of the second.
    if (call === 'datasync' && ++steps === 6) giving = maker.giveBack();
  };
  const { spares, clock, maker, files, inPeace } = await make(t, { watch });
  await maker.start();
  clock.advance(spareQuietMs);
  await until(() => giving !== undefined, 'the moment');
  await giving;
  assert.deepEqual([steps, files()], [6, []]);
  assert.equal(spares.take(), undefined);
  clock.advance(spareRetryMs);
  await settle();
  await inPeace(() => spares.count === 2, 'two spares');
});

test('a disk that is full after all is no fault: what was begun is removed, told once, tried again', async (t) => {
  let full = true;
  let failures = 0;
  const watch: Watch = ({ call }) => {
    if (!full || call !== 'write') return;
    failures += 1;
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
  const { spares, clock, logger, maker, files } = await make(t, { count: 1, watch });
  await maker.start();
  clock.advance(spareQuietMs);
  for (let tried = 1; tried <= 2; tried++) {
    await until(() => failures === tried && files().length === 0, `try ${tried}`);
    await settle();
    assert.equal(logger.lines.length, 1);
    assert.match(logger.lines[0] ?? '', /^info no space is prepared/);
    if (tried === 2) full = false;
    clock.advance(spareRetryMs);
  }
  await until(() => spares.count === 1, 'a spare');
});

test('on a disk that fails no more are made, and the log says so', async (t) => {
  let failures = 0;
  const watch: Watch = ({ call }) => {
    if (call !== 'datasync') return;
    failures += 1;
    throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  const { clock, logger, maker, files } = await make(t, { watch });
  await maker.start();
  clock.advance(spareQuietMs);
  await until(() => logger.lines.length === 1, 'a line in the log');
  assert.match(logger.lines[0] ?? '', /^error no more space is prepared for studies: the disk fails/);
  await until(() => files().length === 0, 'what was begun is removed');
  clock.advance(10 * spareRetryMs);
  await settle();
  assert.deepEqual([failures, files()], [1, []]);
});
