/** What a hospital types when its box does not open its keys: `hilum rescue` and `hilum restore`, as programs. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LoneBox, runProgram } from '../support/lone-box.ts';

const run = promisify(execFile);
const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));
const signed = 'Press Enter when it is there';

/** Answers each question as a person would, and does what is asked for between two answers. */
async function converse(
  args: readonly string[],
  answers: readonly string[],
  beforeEnter?: () => Promise<void>,
): Promise<{ readonly status: number | null; readonly said: string; readonly faults: string }> {
  const child = spawn(process.execPath, [mainPath, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const faults = text(child.stderr);
  let said = '';
  for (const answer of answers) child.stdin.write(`${answer}\n`);
  if (!beforeEnter) child.stdin.end();
  child.stdout.on('data', (part: Buffer) => {
    said += part.toString();
    if (!beforeEnter || !said.includes(signed)) return;
    const act = beforeEnter;
    beforeEnter = undefined;
    void act().then(() => child.stdin.end('\n'));
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, said, faults: await faults };
}

/** Ten groups are no accident: it is a part of a half. */
const halfPattern = /([0-9a-f]{4} ){10}/;

/** What empties a screen and what can be scrolled back to. */
const cleared = '\\u001b\\[2J\\u001b\\[3J\\u001b\\[H';

async function identityOf(box: LoneBox): Promise<unknown> {
  const record = JSON.parse(await readFile(join(box.dataFolder, 'enrolment.json'), 'utf8')) as {
    keys: { identity: unknown };
  };
  return record.keys.identity;
}

test('a box is rescued and restored by what its hospital holds, and by nothing less', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  const privateKey = join(box.folder, 'rescue-key.pem');
  await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', privateKey]);
  await run('openssl', ['ec', '-in', privateKey, '-pubout', '-out', join(box.folder, 'rescue-public.pem')]);
  await box.configure({ tpm: { kind: 'swtpm', rescueKeyFile: 'rescue-public.pem' } });
  const config = ['--config', box.configPath];

  const enrolled = await runProgram(['enrol', ...config, '--recovery-code-to', box.folder]);
  assert.equal(enrolled.status, 0, enrolled.words.join('\n'));
  const halfOf = async (which: string): Promise<string> => {
    const file = join(box.folder, `ashdown-${which}-half.txt`);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    return (await readFile(file, 'utf8')).trimEnd();
  };
  const [first, second] = [await halfOf('first'), await halfOf('second')];
  assert.match(first, halfPattern);
  const identity = await identityOf(box);

  const mistyped = first.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  const refused = await converse(['restore', ...config], [second, mistyped]);
  assert.equal(refused.status, 1);
  assert.match(refused.faults, /hilum: half 2 has a typing error \[RECOVERY_REFUSED\]/);
  const unsigned = await converse(['rescue', ...config], [first, second], () => Promise.resolve());
  assert.match(unsigned.faults, /there is no signature at .*rescue-signature \[RECOVERY_REFUSED\]/);

  // The very command that is printed, in the data folder.
  const rescued = await converse(['rescue', ...config], [first, second], async () => {
    const words = ['dgst', '-sha256', '-sign', privateKey, '-out', 'rescue-signature', 'rescue-challenge'];
    await run('openssl', words, { cwd: box.dataFolder });
  });
  assert.equal(rescued.status, 0, rescued.faults);
  // Neither half is left on the screen for the other custodian.
  assert.match(rescued.said, new RegExp(`First half[^:]*: ${cleared}Second half[^:]*: ${cleared}`));
  assert.match(
    rescued.said,
    /openssl dgst -sha256 -sign rescue-key\.pem -out rescue-signature rescue-challenge/,
  );
  assert.match(rescued.said, /is approved\. Start the box\./);
  const again = await runProgram(['enrol', ...config]);
  assert.equal(again.status, 0, again.words.join('\n'));
  assert.deepEqual(await identityOf(box), identity);
  assert.doesNotMatch(enrolled.stdout + again.stdout, halfPattern);

  // Something is kept, and wrapped anew.
  await box.process.start();
  await box.process.stop();
  const recovery = join(box.dataFolder, 'recovery');
  const older = await readFile(recovery);
  assert.equal((await runProgram(['forget', ...config])).status, 0);
  const newest = await readFile(recovery);

  // The mainboard is exchanged.
  await rm(join(box.dataFolder, 'swtpm'), { recursive: true });
  assert.match((await runProgram(['enrol', ...config])).words.join(), /TPM_WRONG/);
  await writeFile(recovery, older);
  const tooOld = await converse(['restore', ...config], [second, first]);
  assert.equal(tooOld.status, 1);
  assert.match(tooOld.faults, /recovery is of another time: it opens nothing.*\[RECOVERY_REFUSED\]/);
  await writeFile(recovery, newest);
  const restored = await converse(['restore', ...config], [second, first]);
  assert.equal(restored.status, 0, restored.faults);
  assert.equal((await runProgram(['enrol', ...config])).status, 0);
  assert.notDeepEqual(await identityOf(box), identity);
});

test('no log gets a recovery code: without a terminal, keys of a machine are not made', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  const machine = await box.variant({ tpm: { kind: 'device' } });
  for (const command of ['run', 'enrol']) {
    const { status, words } = await runProgram([command, '--config', machine]);
    assert.equal(status, 1);
    assert.match(words.join(), /hilum enrol --config.*\[KEYS_NOT_MADE\]/);
  }
  // In development the TPM is a folder, and a box makes its keys by itself.
  const { status, stdout } = await runProgram(['enrol', '--config', box.configPath]);
  assert.equal(status, 0);
  assert.doesNotMatch(stdout, halfPattern);

  // Nobody types a code where it cannot help.
  for (const [command, words] of [
    ['rescue', /made without an offline rescue key \[RECOVERY_REFUSED\]/],
    ['restore', /there is no .*recovery to restore from \[STORE_CORRUPT\]/],
  ] as const) {
    if (command === 'restore') await rm(join(box.dataFolder, 'recovery'));
    const { said, faults } = await converse([command, '--config', box.configPath], []);
    assert.match(faults, words);
    assert.doesNotMatch(said, /half of the recovery code/);
  }
});
