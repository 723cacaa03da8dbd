import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { ReplaceableLog } from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { MemoryAppendLog, type MemoryDisk } from '../fakes/append-log.ts';

/** Opens the same log again and again. */
type Opener = () => Promise<ReplaceableLog>;

const implementations: readonly { name: string; prepare: (t: TestContext) => Promise<Opener> }[] = [
  {
    name: 'memory',
    prepare: () => {
      const disk: MemoryDisk = { records: [] };
      return Promise.resolve(() => Promise.resolve(new MemoryAppendLog(disk)));
    },
  },
  {
    name: 'file',
    prepare: async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'hilum-log-'));
      t.after(() => rm(folder, { recursive: true }));
      const path = join(folder, 'a.log');
      return () =>
        FileAppendLog.open(path, { domain: 'test', damageCode: 'STORE_CORRUPT', allocationBytes: 4096 });
    },
  },
];

const records = ['first', '', 'third '.repeat(2000), 'fourth'].map(utf8);

async function all(log: ReplaceableLog): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const record of log.read()) found.push(new Uint8Array(record));
  return found;
}

for (const { name, prepare } of implementations) {
  describe(`an append log (${name})`, () => {
    test('gives back what was appended, in order, also after it is opened again', async (t) => {
      const openLog = await prepare(t);
      const log = await openLog();
      assert.equal(log.length, 0);
      await log.append(records.slice(0, 1));
      await log.append(records.slice(1));
      assert.deepEqual(await all(log), records);
      assert.deepEqual(new Uint8Array(await log.at(2)), records[2]);
      await log.close();
      const again = await openLog();
      assert.equal(again.length, records.length);
      assert.deepEqual(await all(again), records);
      await again.append([utf8('fifth')]);
      assert.deepEqual(new Uint8Array(await again.at(4)), utf8('fifth'));
      await again.close();
    });

    test('keeps the order of appends that do not wait for each other', async (t) => {
      const log = await (await prepare(t))();
      const numbers = Array.from({ length: 50 }, (_, i) => utf8(`record ${i}`));
      await Promise.all(numbers.map((record) => log.append([record])));
      assert.deepEqual(await all(log), numbers);
      await log.close();
    });

    test('puts other records in the place of all', async (t) => {
      const openLog = await prepare(t);
      const log = await openLog();
      await log.append(records);
      await log.replace([utf8('kept')]);
      await log.append([utf8('new')]);
      assert.deepEqual(await all(log), [utf8('kept'), utf8('new')]);
      await log.close();
      const again = await openLog();
      assert.deepEqual(await all(again), [utf8('kept'), utf8('new')]);
      await again.close();
    });

    test('knows no record beyond the last, and takes none after it is closed', async (t) => {
      const log = await (await prepare(t))();
      await log.append(records);
      await assert.rejects(log.at(records.length), RangeError);
      await log.close();
      await assert.rejects(log.append(records), { code: 'STORE_FAILED' });
    });
  });
}
