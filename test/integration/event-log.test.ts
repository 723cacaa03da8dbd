/** A box whose event log its user may not read says so itself: members would only see that it does not answer. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorTable } from '../../firmware/src/errors.ts';
import { LoneBox, runProgram } from '../support/lone-box.ts';

test('a box tells at its enrolment and at its start that it cannot show its event log', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  await box.configure({ tpm: { kind: 'swtpm', eventLogFile: 'no-such-log' } });
  const log = join(box.folder, 'no-such-log');
  const said = `there is no event log ${log}: nothing was measured at this boot, or the TPM is another one`;
  const { remedy } = errorTable.EVENT_LOG_UNUSABLE;

  const args = ['--config', box.configPath, '--recovery-code-to', box.folder];
  const enrolled = await runProgram(['enrol', ...args]);
  assert.deepEqual(enrolled.words, [`hilum: ${said} [EVENT_LOG_UNUSABLE] ${remedy}`]);
  // The keys are made all the same: what is to be mended is no part of them.
  assert.equal(enrolled.status, 0);
  assert.match(await readFile(join(box.dataFolder, 'enrolment.json'), 'utf8'), /"ashdown"/);

  const { health } = await (await box.startFirst()).overview();
  const alarms = health.filter(({ code }) => code === 'EVENT_LOG_UNUSABLE');
  assert.deepEqual(
    alarms.map((alarm) => [alarm.subject, alarm.detail, alarm.remedy]),
    [['TPM', `${said}.`, remedy]],
  );
});
