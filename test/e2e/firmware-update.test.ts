/** An update as an administrator does it: the old firmware approves the new one, which runs on trial, and is confirmed. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FirmwareCopy } from '../support/firmware-copy.ts';
import { LoneBox, type ProgramEnd } from '../support/lone-box.ts';

function wentWell(end: ProgramEnd): ProgramEnd {
  assert.equal(end.status, 0, end.words.join('\n'));
  return end;
}

function openedNothing(end: ProgramEnd): void {
  assert.equal(end.status, 1);
  assert.match(end.words.join(), /PCR 11 changed.*TPM_POLICY/);
}

test('a new firmware opens the keys once the old one has approved it, and the old one until that is confirmed', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  const config = ['--config', box.configPath];
  const before = await FirmwareCopy.make(join(box.folder, 'before'), 'before');
  const after = await FirmwareCopy.make(join(box.folder, 'after'), 'after');
  const measured = join(box.folder, 'measured');
  const identity = async (): Promise<unknown> => {
    const enrolment = await readFile(join(box.dataFolder, 'enrolment.json'), 'utf8');
    return (JSON.parse(enrolment) as { keys: { identity: unknown } }).keys.identity;
  };

  wentWell(await before.run('enrol', ...config));
  const own = await identity();
  const { stdout } = wentWell(await after.run('firmware', 'measure'));
  await writeFile(measured, stdout);

  // Nobody approves himself.
  openedNothing(await after.run('firmware', 'approve', measured, ...config));
  openedNothing(await after.run('run', ...config));

  const approved = wentWell(await before.run('firmware', 'approve', measured, ...config));
  assert.match(approved.stdout, /may open the keys besides the running one/);
  const trial = await after.run('run', ...config);
  assert.equal(trial.status, null, trial.words.join('\n'));
  assert.match(trial.log.join('\n'), /this firmware is on trial/);
  // The other slot, if the new one is no good.
  wentWell(await before.run('enrol', ...config));

  const confirmed = wentWell(await after.run('firmware', 'confirm', ...config));
  assert.match(confirmed.stdout, /is confirmed; the one before it never opens a key again/);
  openedNothing(await before.run('run', ...config));
  openedNothing(await before.run('firmware', 'confirm', ...config));
  wentWell(await after.run('enrol', ...config));
  assert.deepEqual(await identity(), own);
  const again = wentWell(await after.run('firmware', 'confirm', ...config));
  assert.match(again.stdout, /No other firmware than the running one was approved/);
});
