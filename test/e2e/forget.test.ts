/** `hilum forget`, as a program at a real box: what was kept stays, and what an older copy of the disk held is gone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { filesBelow, pydicomFiles, runTool, temporaryFolder } from '../support/dimse-tools.ts';
import { LoneBox, runProgram } from '../support/lone-box.ts';

const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));
const original = join(pydicomFiles, 'CT_small.dcm');
const study = '1.3.6.1.4.1.5962.1.2.1.20040119072730.12322';

/** When the power goes, after the start of the command: while it opens the keys, wraps them, and steps the counter. */
const cutsMs = [900, 1_500, 2_200];

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
async function fetched(box: LoneBox): Promise<Buffer> {
  const folder = await temporaryFolder();
  try {
    const keys = ['-k', '0008,0052=STUDY', '-k', `0020,000d=${study}`];
    const got = await runTool('getscu', ['-S', '+B', '-od', folder, ...keys, ...endsOf(box)]);
    assert.equal(got.code, 0, got.output);
    const [file, ...others] = await filesBelow(folder);
    assert.ok(file !== undefined && others.length === 0, got.output);
    return await readFile(file);
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

test('a forgetting that is killed is ended by the next start, and nothing that is kept is lost', async (t) => {
  const box = await boxThatReceives(t);
  await box.process.start();
  assert.equal((await runTool('storescu', [...endsOf(box), original])).code, 0);
  const sent = await fetched(box);
  for (const cutMs of cutsMs) {
    await box.process.stop();
    const child = spawn(process.execPath, [mainPath, 'forget', '--config', box.configPath], {
      stdio: 'ignore',
    });
    const ended = once(child, 'close');
    await Promise.race([ended, delay(cutMs)]);
    child.kill('SIGKILL');
    await ended;
    await box.process.start();
    assert.ok(sent.equals(await fetched(box)));
  }
});
