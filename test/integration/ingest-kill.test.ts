/**
 * kill -9 of the receiving process at random moments, while four associations send: what was answered 0x0000 is there,
 * bit for bit; nothing is listed in halves; nothing half-written stays.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ReceivingBox } from '../support/receiving-box.ts';
import { ReceivingProcess } from '../support/receiving-process.ts';
import { sampleObject, sha256Of, type SampleObject } from '../support/sample-object.ts';
import { send } from '../support/sample-sender.ts';
import { randomFrom, type Random } from '../sim/random.ts';

/** `HILUM_KILLS=200` before a change of reception or store is called done. */
const kills = Number(process.env['HILUM_KILLS'] ?? 10);
/** `HILUM_KILL_SEED=…` repeats a run: moments and objects are the same, the machine's scheduling is not. */
const firstSeed = Number(process.env['HILUM_KILL_SEED'] ?? Date.now() % 1_000_000);
const associations = 4;
/** Kills of one data folder, so that it grows and what it holds has survived several. */
const killsPerFolder = 10;
const msMax = 400;
/** Their size is seen of logs that were killed in them. */
const spares = { count: 2, bytes: 2_500_001 };

/** Most objects small, some slices, some of many segments; two of the associations send into the same studies. */
function* objectsOf(seed: number, association: number, random: Random): Generator<SampleObject> {
  for (let number = 0; ; number++) {
    const study = `1.2.826.0.1.3680043.10.3.${seed}.${association >> 1}.${number >> 4}`;
    const large = random.chance(0.1) ? 1_500_000 : 150_000;
    const pixelBytes = 2 * random.below(random.chance(0.2) ? large : 20_000);
    yield sampleObject({
      studyInstanceUid: study,
      number: associations * number + association,
      pixelBytes,
      seed: random.below(2 ** 31),
    });
  }
}

/** Sends until the box is killed. SHA-256 by SOP Instance UID of all that was sent, and the UIDs answered 0x0000. */
async function sendUntilKilled(box: ReceivingProcess, seed: number) {
  const random = randomFrom(seed);
  const sent = new Map<string, string>();
  const acknowledged = new Set<string>();
  const port = await box.port;
  const remembering = function* (objects: Iterable<SampleObject>): Generator<SampleObject> {
    for (const object of objects) {
      sent.set(object.sopInstanceUid, sha256Of(object.dataSet));
      yield object;
    }
  };
  const sending = Array.from({ length: associations }, async (_, association) => {
    const objects = remembering(objectsOf(seed, association, randomFrom(seed * associations + association)));
    for await (const { object, status } of send(port, objects)) {
      assert.equal(status, 0, `seed ${seed}: ${object.sopInstanceUid}`);
      acknowledged.add(object.sopInstanceUid);
    }
  });
  await delay(random.below(msMax));
  await box.kill();
  await Promise.all(sending);
  return { sent, acknowledged };
}

test(`${kills} kills of a receiving box under load (seeds from ${firstSeed})`, async (t) => {
  t.diagnostic(`HILUM_KILL_SEED=${firstSeed}`);
  const parent = await mkdtemp(join(tmpdir(), 'hilum-kill-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const boxKey = randomBytes(32);
  const tally = { acknowledged: 0, unacknowledged: 0, leftovers: 0, largest: 0, inSpares: 0 };
  let sent = new Map<string, string>();
  let acknowledged = new Set<string>();
  for (let kill = 0; kill < kills; kill++) {
    const folder = join(parent, `box-${Math.floor(kill / killsPerFolder)}`);
    if (kill % killsPerFolder === 0) {
      sent = new Map();
      acknowledged = new Set();
    }
    const seed = firstSeed + kill;
    const box = await ReceivingProcess.start({ folder, boxKey, spares });
    t.after(() => box.kill());
    const news = await sendUntilKilled(box, seed);
    for (const [uid, sha256] of news.sent) sent.set(uid, sha256);
    for (const uid of news.acknowledged) acknowledged.add(uid);
    tally.acknowledged += news.acknowledged.size;

    const before = await pathsIn(folder);
    tally.inSpares += await logsInSpares(folder);
    const judge = await ReceivingBox.open({ folder, boxKey });
    const objects = await judge.objects();
    const expected = judge.paths();
    await judge.close();
    const held = new Map(objects);
    assert.equal(held.size, objects.length, `seed ${seed}: an object is listed twice`);
    for (const [uid, sha256] of held)
      assert.equal(sha256, sent.get(uid), `seed ${seed}: ${uid} is in halves`);
    for (const uid of acknowledged) assert.ok(held.has(uid), `seed ${seed}: ${uid} was acknowledged`);
    const unknown = [...held.keys()].filter((uid) => news.sent.has(uid) && !news.acknowledged.has(uid));
    assert.ok(unknown.length <= associations, `seed ${seed}: ${unknown.length} that nobody was told of`);
    const after = await pathsIn(folder);
    assert.deepEqual(after, expected, `seed ${seed}: leftovers`);
    tally.unacknowledged += unknown.length;
    tally.leftovers += before.filter((path) => !after.includes(path)).length;
    // Kept once, they count as acknowledged: they must not vanish either.
    for (const uid of unknown) acknowledged.add(uid);
    tally.largest = Math.max(tally.largest, held.size);
  }
  t.diagnostic(
    `${tally.acknowledged} acknowledged, ${tally.unacknowledged} kept without, ` +
      `${tally.inSpares} logs in spares, ${tally.leftovers} half-written files removed, up to ${tally.largest} objects in a folder`,
  );
  assert.ok(tally.acknowledged > kills, 'the box was under load');
  assert.ok(tally.inSpares > 0, 'logs had moved into spares');
});

/** Everything below the folder of the studies. */
async function pathsIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

/** Logs of studies that stood in a spare when the box was killed. */
async function logsInSpares(folder: string): Promise<number> {
  const logs = (await pathsIn(folder)).filter((path) => basename(path) === 'study.log');
  const sizes = await Promise.all(logs.map(async (path) => (await stat(join(folder, path))).size));
  return sizes.filter((size) => size === spares.bytes).length;
}
