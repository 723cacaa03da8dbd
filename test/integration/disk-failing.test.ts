/**
 * A disk that fails writes and flushes now and then, as a dying one does, behind the real SCP. The faults are injected at
 * the store's interface to the file system: device mapper's flakey target is not in every kernel.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ReceivingBox } from '../support/receiving-box.ts';
import { sampleObject, sha256Of, type SampleObject } from '../support/sample-object.ts';
import { send } from '../support/sample-sender.ts';
import { watchedDisk } from '../support/watched-disk.ts';
import { randomFrom } from '../sim/random.ts';

const objectsEach = 12;

/** Several studies, so that the end of one is not the end of all. */
function* objectsOf(seed: number): Generator<SampleObject> {
  for (let number = 0; number < objectsEach; number++) {
    const studyInstanceUid = `1.2.826.0.1.3680043.10.5.${seed}.${number >> 2}`;
    const pixelBytes = number % 4 === 3 ? 1_500_000 : 20_000;
    yield sampleObject({ studyInstanceUid, number, pixelBytes, seed: seed * objectsEach + number });
  }
}

test('a disk that fails: 0xA700, never success, and a new start holds all that was acknowledged', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'hilum-failing-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const options = { folder: join(parent, 'objects'), boxKey: randomBytes(32) };
  const random = randomFrom(11);
  let isFailing = false;
  const files = watchedDisk(({ call, path }) => {
    if (isFailing && random.chance(0.15))
      throw Object.assign(new Error(`EIO: i/o error, ${call} ${path}`), { code: 'EIO' });
  });
  const box = await ReceivingBox.open({ ...options, files });
  t.after(() => box.close());
  const port = await box.listen();

  isFailing = true;
  const kept = new Map<string, string>();
  const failures: number[] = [];
  const sending = [1, 2, 3, 4].map(async (seed) => {
    for await (const { object, status } of send(port, objectsOf(seed))) {
      if (status === 0) kept.set(object.sopInstanceUid, sha256Of(object.dataSet));
      else failures.push(status);
    }
  });
  await Promise.all(sending);
  assert.equal(kept.size + failures.length, 4 * objectsEach, 'each object was answered');
  assert.ok(kept.size > 0, 'some objects met no fault');
  assert.deepEqual([...new Set(failures)], [0xa700]);

  // Well again: whatever log is at its end, a new study is taken at once.
  isFailing = false;
  for await (const { object, status } of send(port, objectsOf(5))) {
    assert.equal(status, 0);
    kept.set(object.sopInstanceUid, sha256Of(object.dataSet));
  }
  assert.deepEqual(box.health.list(), []);
  await box.close();

  const next = await ReceivingBox.open(options);
  const held = new Map(await next.objects());
  await next.close();
  for (const [uid, sha256] of kept) assert.equal(held.get(uid), sha256, `${uid} was acknowledged`);
});
