/**
 * `hilum forget`, as a program at a real box: what was kept stays, and what an older copy of the disk held is gone.
 * HILUM_TPM_POWER_CUTS says how many power cuts it has to bear, 3 unless told.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { filesBelow, pydicomFiles, runTool, temporaryFolder } from '../support/dimse-tools.ts';
import { LoneBox, runProgram } from '../support/lone-box.ts';
import { cutPower, cutsUnlessTold, moment } from '../support/power-cut.ts';

const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));
const original = join(pydicomFiles, 'CT_small.dcm');
const study = '1.3.6.1.4.1.5962.1.2.1.20040119072730.12322';

const cuts = cutsUnlessTold(3);
/** Besides the sample: each has a key that is to be wrapped anew. */
const moreStudies = Array.from({ length: 8 }, (_, number) => `2.25.${1_000 + number}`);

async function boxThatReceives(t: Parameters<typeof LoneBox.make>[0]): Promise<LoneBox> {
  const box = await LoneBox.make(t, 'ashdown');
  const { dicom: port } = box.process.hospital.ports;
  const callers = [{ aeTitle: 'CT1', may: ['store', 'retrieve'] }];
  await box.configure({ dicom: { host: '127.0.0.1', port, aeTitle: boxAeTitle, callers } });
  return box;
}

function endsOf({ process: { hospital } }: LoneBox): readonly string[] {
  return ['-aet', 'CT1', '-aec', boxAeTitle, '127.0.0.1', String(hospital.ports.dicom)];
}

/** The study as the running box gives it out. */
async function fetched(box: LoneBox, uid = study): Promise<Buffer> {
  const folder = await temporaryFolder();
  try {
    const keys = ['-k', '0008,0052=STUDY', '-k', `0020,000d=${uid}`];
    const got = await runTool('getscu', ['-S', '+B', '-od', folder, ...keys, ...endsOf(box)]);
    assert.equal(got.code, 0, got.output);
    const [file, ...others] = await filesBelow(folder);
    assert.ok(file !== undefined && others.length === 0, got.output);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The sample under other UIDs, one study each. */
async function sendMore(box: LoneBox): Promise<void> {
  const folder = await temporaryFolder();
  try {
    for (const uid of moreStudies) {
      const file = join(folder, uid);
      await copyFile(original, file);
      const uids = ['0020,000d', '0020,000e', '0008,0018'].flatMap((tag, at) => [
        '-m',
        `${tag}=${uid}.${at}`.replace(/\.0$/, ''),
      ]);
      const made = await runTool('dcmodify', ['-nb', ...uids, file]);
      assert.equal(made.code, 0, made.output);
    }
    const sent = await runTool('storescu', ['+sd', ...endsOf(box), folder]);
    assert.equal(sent.code, 0, sent.output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('what is kept opens after a forgetting; an older keys file opens nothing, and a running box is left alone', async (t) => {
  const box = await boxThatReceives(t);
  const config = ['--config', box.configPath];
  await box.process.start();
  assert.equal((await runTool('storescu', [...endsOf(box), original])).code, 0);
  const sent = await fetched(box);
  const busy = await runProgram(['forget', ...config]);
  assert.equal(busy.status, 1);
  assert.match(busy.words.join(), /DATA_FOLDER_IN_USE/);
  await box.process.stop();

  const keysFile = join(box.dataFolder, 'keys.json');
  const older = await readFile(keysFile);
  const forgotten = await runProgram(['forget', ...config]);
  assert.deepEqual([forgotten.status, forgotten.words], [0, []]);
  const newer = await readFile(keysFile);

  // Whoever kept a copy of the disk, in the very machine.
  await writeFile(keysFile, older);
  const refused = await box.run();
  assert.equal(refused.status, 1);
  assert.match(refused.words.join(), /TPM_POLICY/);

  await writeFile(keysFile, newer);
  await box.process.start();
  assert.ok(sent.equals(await fetched(box)));
});

test('while a box forgets: a power cut at any moment loses nothing that is kept, and the next start ends it', async (t) => {
  const box = await boxThatReceives(t);
  const config = ['--config', box.configPath];
  await box.process.start();
  assert.equal((await runTool('storescu', [...endsOf(box), original])).code, 0);
  await sendMore(box);
  const kept = new Map<string, Buffer>();
  for (const uid of [study, ...moreStudies]) kept.set(uid, await fetched(box, uid));
  await box.process.stop();
  const begun = performance.now();
  assert.equal((await runProgram(['forget', ...config])).status, 0);
  const durationMs = performance.now() - begun;
  for (let number = 0; number < cuts; number++) {
    const child = spawn(process.execPath, [mainPath, 'forget', ...config], { stdio: 'ignore' });
    const ended = once(child, 'close');
    await Promise.race([ended, delay(moment(number) * durationMs * 1.2)]);
    await cutPower(child);
    await box.process.start();
    for (const [uid, bytes] of kept)
      assert.ok(bytes.equals(await fetched(box, uid)), `cut ${number}: study ${uid}`);
    await box.process.stop();
  }
});
