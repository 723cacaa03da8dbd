/** A box is put out of service though the power is cut on the way: what the record and the TPM say decides. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, watch } from 'node:fs';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { decommission } from '../../firmware/src/box/decommission.ts';
import { askStanding, type RecordStanding } from '../../firmware/src/box/record-standing.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { LoneBox, runProgram } from '../support/lone-box.ts';
import { readConfig } from '../../firmware/src/config.ts';
import { systemClock } from '../support/manual-clock.ts';
import { refused } from '../support/refused.ts';

const keyFiles = ['keys.json', 'recovery', 'index.key'];

interface Scene {
  readonly box: LoneBox;
  readonly recordFile: string;
  /** What the command prints, and leaves behind. */
  readonly give: () => Promise<string>;
  readonly left: () => Promise<string[]>;
}

async function scene(t: TestContext): Promise<Scene> {
  const box = await LoneBox.make(t, 'ashdown');
  await box.process.enrol();
  await writeFile(join(box.dataFolder, 'index.key'), 'wrapped');
  const recordFile = join(box.folder, 'record.txt');
  return {
    box,
    recordFile,
    give: () =>
      decommission(readConfig(box.configPath), { confirm: 'ashdown', recordFile, whileMember: false }),
    left: async () => (await readdir(box.dataFolder)).filter((name) => keyFiles.includes(name)),
  };
}

test('after a power cut between the death of the keys and the end, the command given again ends it', async (t) => {
  const { box, recordFile, give, left } = await scene(t);
  const before = join(box.folder, 'before');
  await mkdir(before);
  const putBack = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await cp(join(before, name), join(box.dataFolder, name));
  };
  // What stands there when the record is begun: opening the keys may have written them anew.
  const watcher = watch(box.folder, (_event, name) => {
    if (name !== basename(recordFile)) return;
    watcher.close();
    for (const file of keyFiles) copyFileSync(join(box.dataFolder, file), join(before, file));
  });
  t.after(() => watcher.close());

  const whole = await give();
  assert.deepEqual(await left(), []);
  const again = await refused('DECOMMISSION_REFUSED', give());
  assert.match(again.message, /out of service already/);

  // As the cut leaves it: the TPM is cleared, the record is begun, and all, some or none of the files are there.
  const begun = whole.slice(0, whole.indexOf('\nDone: '));
  for (const names of [keyFiles, ['index.key', 'recovery'], []]) {
    await putBack(names);
    await writeFile(recordFile, begun);
    const ended = await give();
    assert.ok(ended.startsWith(`${begun}\nDone: `), names.join());
    assert.equal(await readFile(recordFile, 'utf8'), ended);
    assert.deepEqual(await left(), []);
  }

  // A file that the record does not name is another box's.
  await writeFile(join(box.dataFolder, 'keys.json'), 'of another box');
  await writeFile(recordFile, begun);
  const strange = await refused('DECOMMISSION_REFUSED', give());
  assert.match(strange.message, /keys\.json is not the one that the record names/);
  assert.deepEqual(await left(), ['keys.json']);

  // Nor does a TPM without keys that is not the record's own say that these are dead.
  await putBack(['keys.json']);
  await rm(join(box.dataFolder, 'swtpm'), { recursive: true });
  const moved = await refused('DECOMMISSION_REFUSED', give());
  assert.match(moved.message, /the TPM is not the one/);
  assert.deepEqual(await left(), ['keys.json']);
});

test('after a power cut before the death of the keys, the command given again begins anew', async (t) => {
  const { box, recordFile, give, left } = await scene(t);
  const tpm = join(box.dataFolder, 'swtpm');
  await cp(tpm, join(box.folder, 'swtpm'), { recursive: true });
  for (const name of keyFiles) await cp(join(box.dataFolder, name), join(box.folder, name));
  const whole = await give();
  await rm(tpm, { recursive: true });
  await cp(join(box.folder, 'swtpm'), tpm, { recursive: true });
  for (const name of keyFiles) await cp(join(box.folder, name), join(box.dataFolder, name));
  await writeFile(recordFile, whole.slice(0, whole.indexOf('\nDone: ')));
  const begunOnly = await runProgram(['check-record', recordFile]);
  assert.match(begunOnly.stdout, /begun and not ended/);

  assert.match(await give(), /^Done: /m);
  assert.deepEqual(await left(), []);
  assert.match(
    (await runProgram(['check-record', recordFile])).stdout,
    /Nothing was changed since it was signed\. Hospital: ashdown, .*\.\n.* identity key was [0-9a-f]{64}: compare/,
  );
});

test('a file that is no record of this box is not written over', async (t) => {
  const { recordFile, give, left } = await scene(t);
  await writeFile(recordFile, 'the minutes of a meeting');
  await refused('DECOMMISSION_REFUSED', give());
  assert.equal(await readFile(recordFile, 'utf8'), 'the minutes of a meeting');
  assert.equal((await left()).length, 3);
});

test('a record of a box that the ledger still names is told as not withdrawn, by proofs alone', async (t) => {
  const box = await LoneBox.makeMember(t, 'ashdown');
  const enrolment = await readFile(join(box.dataFolder, 'enrolment.json'), 'utf8');
  const { keys } = JSON.parse(enrolment) as { readonly keys: { readonly identity: string } };
  const identityDigest = createHash('sha256').update(keys.identity, 'hex').digest('hex');
  const client = await box.startFirst();
  await waitFor('a block', 60, async () => ((await client.overview()).ledger.height > 0 ? true : undefined));
  const genesis = join(box.folder, 'genesis.json');
  const ask = (origin: string): Promise<RecordStanding> =>
    askStanding({ institution: 'ashdown', identityDigest }, genesis, origin, systemClock);
  const { isWithdrawn, words } = await ask(box.process.origin);
  assert.equal(isWithdrawn, false);
  assert.match(words, /^ashdown is a member with this very box.*\. Proved by https:.* for block \d+ of 20/);
  await box.process.stop();
  await refused('PEER_UNREACHABLE', ask(box.process.origin));
});
