/** Where the event log of a TPM is, and what a box says that cannot show it. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedEndpoint } from '../../firmware/tpm/index.ts';
import { readEventLogFile } from '../../firmware/tpm/keys/event-log-file.ts';
import { eventLogBytesMax } from '../../firmware/tpm/wire/limits.ts';
import { refused } from '../support/refused.ts';

async function freshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-event-log-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Root reads every file, whatever its mode: the system asks for the right of another user meanwhile. */
async function asOrdinaryUser(act: () => Promise<void>): Promise<void> {
  const [own, nobody] = [process.geteuid?.(), 65_534];
  if (own !== 0) return act();
  process.seteuid?.(nobody);
  try {
    await act();
  } finally {
    process.seteuid?.(own);
  }
}

for (const [tcti, tpm] of [
  ['device:/dev/tpmrm0', 'tpm0'],
  ['device:/dev/tpmrm1', 'tpm1'],
  ['device:/dev/tpm1', 'tpm1'],
  ['device:/dev/tpmrm12', 'tpm12'],
  ['device:/dev/tpm-of-the-box', 'tpm0'],
  ['device', 'tpm0'],
  ['swtpm:path=/tmp/bus-77', 'tpm0'],
] as const)
  test(`the log that belongs to ${tcti} is that of ${tpm}`, () => {
    const { eventLogFile } = fixedEndpoint(tcti);
    assert.equal(eventLogFile, `/sys/kernel/security/${tpm}/binary_bios_measurements`);
  });

test('a log is read whole, as long as a member takes it', async (t) => {
  const file = join(await freshFolder(t), 'log');
  await writeFile(file, new Uint8Array(eventLogBytesMax).fill(7));
  assert.deepEqual(await readEventLogFile(file), new Uint8Array(eventLogBytesMax).fill(7));
  await writeFile(file, new Uint8Array(eventLogBytesMax + 1));
  const { message } = await refused('EVENT_LOG_UNUSABLE', readEventLogFile(file));
  assert.equal(message, `the event log ${file} is longer than 262144 bytes, and no member reads it`);
});

test('a log that the user of the box may not read is named with the right that lacks', async (t) => {
  const folder = await freshFolder(t);
  const file = join(folder, 'log');
  await chmod(folder, 0o755);
  await writeFile(file, 'log');
  await chmod(file, 0o000);
  await asOrdinaryUser(async () => {
    const { message, cause } = await refused('EVENT_LOG_UNUSABLE', readEventLogFile(file));
    assert.equal(message, `the user that runs Hilum has no right to read the event log ${file}`);
    assert.ok(cause instanceof Error && 'code' in cause && cause.code === 'EACCES');
  });
});

test('a log that is not there, or is no file, is named', async (t) => {
  const folder = await freshFolder(t);
  const missing = await refused('EVENT_LOG_UNUSABLE', readEventLogFile(join(folder, 'log')));
  assert.match(missing.message, /^there is no event log \/.*\/log: nothing was measured/);
  const { message } = await refused('EVENT_LOG_UNUSABLE', readEventLogFile(folder));
  assert.equal(message, `the event log ${folder} cannot be read (EISDIR)`);
});
