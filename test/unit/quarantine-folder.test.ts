/** The quarantine over real files: sealed, there after a restart, erased when it was decided about. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import type { Quarantined } from '../../firmware/src/ingest/quarantined.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';

const canary = utf8('Canary^Winifred');

const described = (sopInstanceUid: string, at: number): Quarantined => ({
  is: 'quarantined',
  reason: 'other pixels',
  detail: '',
  callingAeTitle: 'CT_1',
  remoteAddress: '192.0.2.7',
  identity: { transferSyntaxUid: '1.2.840.10008.1.2.1', sopClassUid: '1.2.3', sopInstanceUid },
  header: { patientName: 'Canary^Winifred' },
  at,
});

test('objects in quarantine are sealed, survive a restart whole, and are erased for good', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-quarantine-'));
  t.after(() => rm(folder, { recursive: true }));
  const boxKey = randomBytes(32);
  const open = async (): Promise<{ quarantine: Quarantine; store: StudyStore }> => {
    const store = new StudyStore({ folder, boxKey });
    const common = { clock: new ManualClock(), logger: silentLogger, health: new MemoryHealthBoard() };
    const quarantine = new Quarantine({ ...common, store });
    await quarantine.load();
    return { quarantine, store };
  };
  const small = concatBytes(canary, randomBytes(1_000));
  const large = concatBytes(canary, randomBytes(2 * chunkBytes + 7));

  const before = await open();
  for (const [index, bytes] of [small, large].entries()) {
    const intake = await before.quarantine.begin();
    for (let at = 0; at < bytes.length; at += 65_536) await intake.write(bytes.subarray(at, at + 65_536));
    await intake.finish(described(`1.2.${index}`, index));
  }
  // One that the power cut off: begun, and nothing of it acknowledged.
  const cutOff = await before.quarantine.begin();
  await cutOff.write(small);
  await before.store.close();

  for (const name of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (name.isFile()) {
      const bytes = await readFile(join(name.parentPath, name.name));
      assert.ok(!bytes.includes(Buffer.from(canary)), `${name.name} shows a name`);
    }

  const after = await open();
  assert.deepEqual(
    after.quarantine.list().map(({ identity, stored }) => [identity.sopInstanceUid, stored.length]),
    [
      ['1.2.1', large.length],
      ['1.2.0', small.length],
    ],
  );
  assert.equal((await readdir(folder)).length, 2, 'what was cut off is gone');
  const [of1, of0] = after.quarantine.list();
  assert.ok(of1 !== undefined && of0 !== undefined);
  const parts: Uint8Array[] = [];
  const released = await after.quarantine.release(of1.id, 'alice', async (_entry, dataSet) => {
    for await (const part of dataSet) parts.push(part);
  });
  assert.equal(released.kind, 'done');
  assert.ok(Buffer.concat(parts).equals(large));
  assert.equal((await after.quarantine.discard(of0.id, 'alice')).kind, 'done');
  assert.deepEqual(await readdir(folder), []);
  await after.store.close();
});

test('a damaged object keeps nothing from starting: it is set aside as it is, with an alarm at each start', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-quarantine-'));
  t.after(() => rm(folder, { recursive: true }));
  const boxKey = randomBytes(32);
  const health = new MemoryHealthBoard();
  const open = async (): Promise<{ quarantine: Quarantine; store: StudyStore }> => {
    const store = new StudyStore({ folder, boxKey });
    const quarantine = new Quarantine({ store, clock: new ManualClock(), logger: silentLogger, health });
    await quarantine.load();
    return { quarantine, store };
  };
  const before = await open();
  for (const uid of ['1.2.1', '1.2.2', '1.2.3']) {
    const intake = await before.quarantine.begin();
    await intake.write(randomBytes(1_000));
    await intake.finish(described(uid, 0));
  }
  const [first, second, third] = before.quarantine.list().map(({ id }) => id);
  await before.store.close();
  const log = await readFile(join(folder, `${first}`, 'study.log'));
  log[200] = (log[200] ?? 0) ^ 1;
  await writeFile(join(folder, `${first}`, 'study.log'), log);
  await rm(join(folder, `${second}`, 'study.key'));

  for (let start = 0; start < 2; start++) {
    health.clear('QUARANTINE_DAMAGED', 'quarantine');
    const after = await open();
    assert.deepEqual(
      after.quarantine.list().map(({ id }) => id),
      [third],
    );
    assert.match(
      health.list().find(({ code }) => code === 'QUARANTINE_DAMAGED')?.detail ?? '',
      /\.damaged: 2\.$/,
    );
    assert.deepEqual(
      (await readdir(folder)).toSorted(),
      [`${first}.damaged`, `${second}.damaged`, `${third}`].toSorted(),
    );
    assert.ok((await readFile(join(folder, `${first}.damaged`, 'study.log'))).equals(log), 'as it was');
    await after.store.close();
  }

  await rename(join(folder, `${first}.damaged`), join(folder, `${first}`));
  await assert.rejects(
    async () => {
      for await (const found of new StudyStore({ folder, boxKey }).open()) assert.ok(found.folder.ref);
    },
    { code: 'STORE_CORRUPT' },
    'studies are not set aside',
  );
});
