/** What was answered 0x0000 survives kill -9, bit for bit, wherever it strikes; what was not is never listed in halves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { randomFrom } from '../sim/random.ts';
import { StoringBox, type Acknowledged } from '../support/storing-box.ts';

const kills = 20;
/** `HILUM_KILL_SEED=…` repeats a run: moments and sizes are the same, the machine's scheduling is not. */
const firstSeed = Number(process.env['HILUM_KILL_SEED'] ?? Date.now() % 1_000_000);

/** Starts a storing box, kills it after so many milliseconds, and gives back what it had acknowledged. */
async function storeUntilKilled(
  folder: string,
  boxKey: Uint8Array,
  seed: number,
  ms: number,
): Promise<Acknowledged[]> {
  const script = join(import.meta.dirname, '../fakes/storing-process.ts');
  const child = spawn(process.execPath, [script, folder, toHex(boxKey), seed.toString()], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const ended = closed.then(() => true);
  while (!output.startsWith('open\n')) {
    if (await Promise.race([ended, delay(5, false)])) assert.fail(`seed ${seed}: did not start: ${errors}`);
  }
  await delay(ms);
  child.kill('SIGKILL');
  const [, signal] = await closed;
  assert.equal(signal, 'SIGKILL', `seed ${seed}: ended by itself: ${errors}`);
  // The last line may have been cut: it is no acknowledgement that anybody read.
  return output
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as Acknowledged);
}

test(`${kills} kills at random moments lose no acknowledged object and list no half one (seeds from ${firstSeed})`, async (t) => {
  t.diagnostic(`HILUM_KILL_SEED=${firstSeed}`);
  const folder = await mkdtemp(join(tmpdir(), 'hilum-kill-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const boxKey = randomBytes(32);
  const acknowledged = new Map<string, string>();
  const halves: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + kills; seed++) {
    const random = randomFrom(seed);
    const news = await storeUntilKilled(folder, boxKey, seed, random.below(120));
    for (const { sopInstanceUid, sha256 } of news) acknowledged.set(sopInstanceUid, sha256);
    halves.push(...(await filesOf(folder)).filter((name) => name.endsWith('.part')));

    const listed = await listedIn(folder, boxKey, `1.2.${seed}.`);
    for (const { sopInstanceUid, sha256 } of news)
      assert.equal(listed.get(sopInstanceUid), sha256, `seed ${seed}: ${sopInstanceUid} was acknowledged`);
    // One object for each modality can be on disk without its sender knowing.
    const unknown = [...listed.keys()].filter((uid) => !acknowledged.has(uid));
    assert.ok(unknown.length <= 3, `seed ${seed}: ${unknown.length} objects that nobody was told of`);
    for (const uid of unknown) acknowledged.set(uid, listed.get(uid) ?? '');
    const left = (await filesOf(folder)).filter((name) => /\.(part|new)$/.test(name));
    assert.deepEqual(left, [], `seed ${seed}: half-written files stay`);
  }
  // The later kills and starts have harmed nothing of the earlier ones.
  assert.deepEqual(await listedIn(folder, boxKey, '1.2.'), acknowledged);
  t.diagnostic(`${acknowledged.size} objects, ${halves.length} of them killed half-way`);
  assert.ok(acknowledged.size > kills, 'something was stored');
  assert.ok(halves.length > 0, 'some kill struck in the middle of an object');
});

/** SHA-256 of each object that is listed in the studies of this prefix, read whole. */
async function listedIn(folder: string, boxKey: Uint8Array, prefix: string): Promise<Map<string, string>> {
  const box = await StoringBox.open(folder, boxKey);
  const listed = new Map<string, string>();
  for (const study of box.catalogue.studies()) {
    if (!study.created.studyInstanceUid.startsWith(prefix)) continue;
    for (const object of study.objects) {
      assert.ok(!listed.has(object.sopInstanceUid), `${object.sopInstanceUid} is listed twice`);
      listed.set(object.sopInstanceUid, await box.sha256Of(study, object));
    }
  }
  await box.close();
  return listed;
}

async function filesOf(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true });
}
