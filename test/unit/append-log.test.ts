import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import { damagedLogsMax } from '../../firmware/src/store/limits.ts';
import { watchedDisk, type DiskCall } from '../support/watched-disk.ts';

const options = { domain: 'votes', damageCode: 'VOTE_LOG_CORRUPT', allocationBytes: 4096 } as const;
const records = ['one', 'two and a half', 'three'].map(utf8);

async function newPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-log-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'votes.log');
}

/** Each record in a frame of its own. */
async function writeLog(path: string): Promise<{ bytes: Uint8Array; ends: number[] }> {
  const log = await FileAppendLog.open(path, options);
  const ends = [log.bytes];
  for (const record of records) {
    await log.append([record]);
    ends.push(log.bytes);
  }
  await log.close();
  return { bytes: new Uint8Array(await readFile(path)), ends };
}

async function recordsOf(log: FileAppendLog): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const record of log.read()) found.push(new Uint8Array(record));
  return found;
}

test('the bytes of a log are those of the golden vector', async (t) => {
  const path = await newPath(t);
  const { bytes, ends } = await writeLog(path);
  const vector = JSON.parse(
    await readFile(new URL('../vectors/append-log.json', import.meta.url), 'utf8'),
  ) as { log: string };
  assert.equal(toHex(bytes.subarray(0, ends.at(-1))), vector.log);
});

for (const kind of ['cut', 'zeroed'] as const) {
  test(`a last frame ${kind} at any byte is cut off, the rest stands, and the log goes on`, async (t) => {
    const path = await newPath(t);
    const { bytes, ends } = await writeLog(path);
    const [lastStart, lastEnd] = [ends[2] ?? 0, ends[3] ?? 0];
    for (let at = lastStart; at < lastEnd; at++) {
      await writeFile(path, kind === 'cut' ? bytes.subarray(0, at) : new Uint8Array(bytes).fill(0, at));
      const log = await FileAppendLog.open(path, options);
      // The first bytes of the length are zero, as is the space: of these nothing shows.
      const shows = bytes.subarray(lastStart, at).some((byte) => byte !== 0);
      assert.deepEqual(log.torn, shows ? { offset: lastStart } : undefined, `byte ${at}`);
      assert.deepEqual(await recordsOf(log), records.slice(0, 2));
      await log.append([utf8('after')]);
      await log.close();
      const again = await FileAppendLog.open(path, options);
      assert.equal(again.torn, undefined);
      assert.deepEqual(await recordsOf(again), [...records.slice(0, 2), utf8('after')]);
      await again.close();
    }
  });
}

test('a large frame with a sector missing is unfinished', async (t) => {
  const path = await newPath(t);
  const log = await FileAppendLog.open(path, options);
  await log.append([utf8('kept')]);
  const start = log.bytes;
  await log.append([utf8('x'.repeat(3000))]);
  await log.close();
  const bytes = new Uint8Array(await readFile(path));
  for (const sector of [0, 512, 1024, 2560]) {
    const from = Math.max(sector, start);
    await writeFile(path, new Uint8Array(bytes).fill(0, from, sector + 512));
    const opened = await FileAppendLog.open(path, options);
    assert.deepEqual(opened.torn, { offset: start }, `sector at ${sector}`);
    assert.deepEqual(await recordsOf(opened), [utf8('kept')]);
    await opened.close();
  }
});

test('a flipped bit anywhere in what was written is damage: named, and nothing is changed (Malachite #1127)', async (t) => {
  const path = await newPath(t);
  const { bytes, ends } = await writeLog(path);
  const end = ends.at(-1) ?? 0;
  for (let at = 0; at < end; at++) {
    for (const bit of [0, 3, 7]) {
      const flipped = new Uint8Array(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      await writeFile(path, flipped);
      const frame = ends.findLast((start) => start <= at) ?? 0;
      await assert.rejects(FileAppendLog.open(path, options), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'VOTE_LOG_CORRUPT', `byte ${at} bit ${bit}: ${error.message}`);
        assert.ok(error.message.includes(path) && error.message.includes(`byte ${frame}:`), error.message);
        return true;
      });
      assert.deepEqual(new Uint8Array(await readFile(path)), flipped);
    }
  }
});

test('a frame that was taken out or put in from elsewhere breaks the chain', async (t) => {
  const path = await newPath(t);
  const { bytes, ends } = await writeLog(path);
  const [first, second, third] = [ends[0] ?? 0, ends[1] ?? 0, ends[2] ?? 0];
  const removed = Buffer.concat([bytes.subarray(0, first), bytes.subarray(second)]);
  await writeFile(path, removed);
  await assert.rejects(FileAppendLog.open(path, options), { code: 'VOTE_LOG_CORRUPT' });
  await writeFile(path, Buffer.concat([bytes.subarray(0, third), bytes.subarray(first)]));
  await assert.rejects(FileAppendLog.open(path, options), { code: 'VOTE_LOG_CORRUPT' });
});

test('a record that the disk gives back otherwise than it was written is damage, also after opening', async (t) => {
  const path = await newPath(t);
  const { bytes, ends } = await writeLog(path);
  const log = await FileAppendLog.open(path, options);
  t.after(() => log.close());
  const broken = Buffer.from(bytes);
  const last = (ends[1] ?? 0) - 2;
  broken.writeUInt8(broken.readUInt8(last) ^ 1, last);
  await writeFile(path, broken);
  await assert.rejects(log.at(0), { code: 'VOTE_LOG_CORRUPT' });
  assert.deepEqual(new Uint8Array(await log.at(1)), records[1]);
});

test('a log of another purpose, another file and an empty one are not opened as this log', async (t) => {
  const path = await newPath(t);
  await writeLog(path);
  await assert.rejects(
    FileAppendLog.open(path, { ...options, domain: 'blocks', damageCode: 'STORE_CORRUPT' }),
    {
      code: 'STORE_CORRUPT',
    },
  );
  for (const content of ['', 'hello', 'x'.repeat(5000)]) {
    await writeFile(path, content);
    await assert.rejects(FileAppendLog.open(path, options), { code: 'VOTE_LOG_CORRUPT' });
  }
});

test('a folder that does not exist is a fault of the store', async (t) => {
  await assert.rejects(FileAppendLog.open(join(await newPath(t), 'none', 'votes.log'), options), {
    code: 'STORE_FAILED',
  });
});

/** A process that appends numbered records of 200 bytes and prints each number once it is acknowledged. */
const writer = `
  import { FileAppendLog } from ${JSON.stringify(new URL('../../firmware/src/store/append-log.ts', import.meta.url).href)};
  const log = await FileAppendLog.open(process.argv[1], ${JSON.stringify(options)});
  for (let number = log.length; ; number++) {
    try {
      await log.append([new TextEncoder().encode(String(number).padStart(200))]);
    } catch (error) {
      const again = await log.append([new Uint8Array(1)]).then(() => 'taken', (later) => later.code);
      console.log('failed', error.code, again);
      process.exit(3);
    }
    console.log(String(number));
  }
`;
const writerArguments = ['--input-type=module-typescript', '--eval', writer];

test('what a writer acknowledged before kill -9 stands, in order', async (t) => {
  const path = await newPath(t);
  let acknowledged = -1;
  for (const target of [5, 40, 200]) {
    const child = spawn(process.execPath, [...writerArguments, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged >= target) child.kill('SIGKILL');
    }
    await (child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined);
    const log = await FileAppendLog.open(path, options);
    const found = await recordsOf(log);
    assert.ok(found.length > acknowledged, `${found.length} records, ${acknowledged} acknowledged`);
    for (const [number, record] of found.entries()) {
      assert.equal(Number(Buffer.from(record).toString()), number);
    }
    await log.close();
  }
});

test('a log whose disk fails takes no further record, and what was acknowledged stands', async (t) => {
  const path = await newPath(t);
  // The shell bounds the size of files (512-byte blocks here); Node ignores SIGXFSZ, so that a write fails instead.
  const child = spawn(
    'sh',
    ['-c', 'ulimit -f 32; exec "$0" "$@"', process.execPath, ...writerArguments, path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  assert.equal(lines.at(-1), 'failed STORE_FAILED STORE_FAILED');
  const log = await FileAppendLog.open(path, options);
  assert.ok(log.length >= lines.length - 1 && lines.length > 10);
  await log.close();
});

test('what is read at opening is on the disk before anyone relies on it, also after a flush that failed', async (t) => {
  const path = await newPath(t);
  const { bytes } = await writeLog(path);
  const calls: string[] = [];
  const log = await FileAppendLog.open(path, {
    ...options,
    files: watchedDisk(({ call }) => calls.push(call)),
  });
  assert.deepEqual(calls, ['write', 'sync', 'syncFolder'], 'the last record once more, then file and name');
  assert.deepEqual(await recordsOf(log), records);
  await log.close();
  assert.deepEqual(new Uint8Array(await readFile(path)), bytes);
});

test('space is taken ahead in steps', async (t) => {
  const path = await newPath(t);
  const log = await FileAppendLog.open(path, options);
  assert.equal((await stat(path)).size, 4096);
  await log.append([new Uint8Array(4096)]);
  assert.equal((await stat(path)).size, 8192);
  await log.close();
});

/** The files of the log's folder: which they are on the disk, and how much of it they hold. */
async function filesOf(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(dirname(path))) {
    const { ino, size, blocks } = await stat(join(dirname(path), name));
    found.push(`${ino}: ${size} bytes in ${blocks} blocks`);
  }
  return found.toSorted();
}

const withSpare = { ...options, allocationBytes: 65_536, keepsSpare: true };

test('a log with a spare takes no space after it was opened: a full disk reaches neither append nor replace', async (t) => {
  const path = await newPath(t);
  const log = await FileAppendLog.open(path, withSpare);
  const files = await filesOf(path);
  assert.equal(files.length, 2);
  for (const file of files) assert.match(file, / 65536 bytes in [1-9]/);
  for (const round of [1, 2, 3, 4, 5]) {
    for (let votes = 0; votes < 20; votes++) await log.append([new Uint8Array(2000).fill(round)]);
    await log.replace([utf8(`kept ${round}`)]);
    await log.append([utf8('after')]);
    assert.deepEqual(await recordsOf(log), [utf8(`kept ${round}`), utf8('after')]);
    assert.deepEqual(await filesOf(path), files, `round ${round}`);
  }
  await log.close();
  const again = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(again), [utf8('kept 5'), utf8('after')]);
  await again.replace([]);
  assert.deepEqual(await filesOf(path), files);
  await again.close();
});

test('a log that was shorter takes its space when it is opened with a spare', async (t) => {
  const path = await newPath(t);
  await writeLog(path);
  const log = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(log), records);
  assert.deepEqual([(await stat(path)).size, (await stat(`${path}.spare`)).size], [65_536, 65_536]);
  await log.close();
});

test('a crash while log and spare change places leaves the old records or the new, and the log its own file', async (t) => {
  const path = await newPath(t);
  const before = await FileAppendLog.open(path, withSpare);
  await before.append([utf8('old')]);
  await before.close();
  // The log has its second name, the spare is written and has not taken its place.
  await link(path, `${path}.old`);
  for (const isSpareLost of [false, true]) {
    if (isSpareLost) await rename(`${path}.spare`, `${path}.lost`);
    const log = await FileAppendLog.open(path, withSpare);
    assert.deepEqual(await recordsOf(log), [utf8('old')]);
    assert.notEqual((await stat(path)).ino, (await stat(`${path}.spare`)).ino);
    await log.close();
    await link(path, `${path}.old`);
  }
  await rm(`${path}.old`);
  // It has taken its place; the former log has not become the spare.
  await rename(`${path}.spare`, `${path}.old`);
  const log = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(log), [utf8('old')]);
  await log.replace([utf8('new')]);
  await log.close();
  const again = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(again), [utf8('new')]);
  await again.close();
});

test('a log that was put aside is begun anew without its votes', async (t) => {
  const path = await newPath(t);
  const log = await FileAppendLog.open(path, withSpare);
  await log.append(records);
  await log.replace(records);
  await log.close();
  await rename(path, `${path}.aside`);
  const anew = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(anew), []);
  await anew.close();
});

test('a damaged log is begun anew with what it is told, and stays beside it', async (t) => {
  const path = await newPath(t);
  const damage = async (): Promise<Buffer> => {
    const bytes = await readFile(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(path, bytes);
    return bytes;
  };
  const log = await FileAppendLog.open(path, withSpare);
  await log.append(records);
  await log.close();
  const damaged = await damage();
  await assert.rejects(FileAppendLog.open(path, withSpare), { code: 'VOTE_LOG_CORRUPT' });
  // A crash between the two names leaves both for the damaged log.
  await link(path, `${path}.damaged-1`);
  for (let number = 1; number <= damagedLogsMax; number++) {
    const anew = await FileAppendLog.beginAnew(path, withSpare, [utf8('gap')]);
    assert.deepEqual(await recordsOf(anew), [utf8('gap')]);
    await anew.append(records);
    await anew.close();
    if (number === 1) assert.deepEqual(await readFile(`${path}.damaged-1`), damaged);
    const again = await FileAppendLog.open(path, withSpare);
    assert.deepEqual(await recordsOf(again), [utf8('gap'), ...records]);
    await again.close();
    await damage();
  }
  const last = await readFile(path);
  await assert.rejects(FileAppendLog.beginAnew(path, withSpare, []), { code: 'STORE_FAILED' });
  assert.deepEqual(await readFile(path), last);
});

/** A disk of which a flush of this kind fails once when told to. */
function disk(kind: DiskCall['call']): { readonly files: FileSystem; readonly failOnce: () => void } {
  let failing = false;
  return {
    files: watchedDisk(({ call }) => {
      if (call !== kind || !failing) return;
      failing = false;
      throw new Error('EIO');
    }),
    failOnce: () => {
      failing = true;
    },
  };
}

test('a spare that cannot be flushed leaves the old records, and the log goes on', async (t) => {
  const path = await newPath(t);
  const { files, failOnce } = disk('sync');
  const log = await FileAppendLog.open(path, { ...withSpare, files });
  await log.append([utf8('old')]);
  failOnce();
  await assert.rejects(log.replace([utf8('new')]), { code: 'STORE_FAILED' });
  await log.append([utf8('older')]);
  await log.replace([utf8('newer')]);
  await log.append([utf8('newest')]);
  await log.close();
  const again = await FileAppendLog.open(path, withSpare);
  assert.deepEqual(await recordsOf(again), ['newer', 'newest'].map(utf8));
  await again.close();
});

test('a folder that cannot be flushed after the change of places ends writing: either log may stand', async (t) => {
  const path = await newPath(t);
  const { files, failOnce } = disk('syncFolder');
  const log = await FileAppendLog.open(path, { ...withSpare, files });
  await log.append([utf8('old')]);
  failOnce();
  await assert.rejects(log.replace([utf8('new')]), { code: 'STORE_FAILED' });
  await assert.rejects(log.append([utf8('vote')]), { code: 'STORE_FAILED' });
  await assert.rejects(log.replace([]), { code: 'STORE_FAILED' });
  await log.close();
});
