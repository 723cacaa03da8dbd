import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AwakeProcessors } from '../../firmware/src/box/awake-processors.ts';
import { awakeMs } from '../../firmware/src/box/limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle } from '../support/until.ts';

/** How often this process has the file open. */
async function timesOpen(path: string): Promise<number> {
  const numbers = await readdir('/proc/self/fd');
  const targets = await Promise.all(numbers.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target === path).length;
}

async function world(t: TestContext, { isThere = true, isWanted = true } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-awake-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'cpu_dma_latency');
  if (isThere) await writeFile(path, '');
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const processors = new AwakeProcessors({ isWanted, clock, logger, path });
  await processors.start();
  const pass = async (ms: number): Promise<number> => {
    clock.advance(ms);
    await settle();
    return timesOpen(path);
  };
  return { path, clock, logger, processors, pass };
}

test('the processors are held awake from an object until a while after the last', async (t) => {
  const { path, processors, pass } = await world(t);
  assert.equal(await pass(awakeMs), 0, 'nothing has come');
  processors.needed();
  assert.equal(await pass(awakeMs - 1), 1);
  assert.deepEqual(await readFile(path), Buffer.alloc(4), 'no microsecond, as a 32-bit integer');
  for (let count = 0; count < 10; count++) {
    processors.needed();
    assert.equal(await pass(awakeMs - 1), 1, 'once, however many objects come');
  }
  await pass(awakeMs);
  assert.equal(await pass(1), 0);
  processors.needed();
  assert.equal(await pass(0), 1, 'and again');
  await processors.stop();
  assert.equal(await pass(0), 0);
  processors.needed();
  assert.equal(await pass(0), 0, 'not after the end');
});

test('where the box may not, it says so once and makes no file; where nobody wants it, it says nothing', async (t) => {
  const { path, logger, processors, pass } = await world(t, { isThere: false });
  for (let count = 0; count < 3; count++) {
    processors.needed();
    await pass(awakeMs + 1);
  }
  assert.equal(logger.lines.length, 1);
  assert.match(logger.lines[0] ?? '', /the processors may sleep.*ENOENT/);
  await assert.rejects(readFile(path), { code: 'ENOENT' });
  const unwanted = await world(t, { isWanted: false });
  unwanted.processors.needed();
  assert.equal(await unwanted.pass(0), 0);
  assert.deepEqual(unwanted.logger.lines, []);
});

test('Linux takes it as it is written, or the log says that it cannot be had', async () => {
  const logger = new RecordingLogger();
  const processors = new AwakeProcessors({ isWanted: true, clock: new ManualClock(), logger });
  await processors.start();
  if (logger.lines.length === 0) {
    const file = await open('/dev/cpu_dma_latency', 'r');
    const { buffer } = await file.read(new Uint8Array(4), 0, 4, null);
    await file.close();
    assert.equal(new DataView(buffer.buffer).getInt32(0, endianness() === 'LE'), 0, 'microseconds');
  }
  await processors.stop();
});
