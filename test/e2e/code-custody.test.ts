/** `hilum enrol` at a terminal (a pseudo-terminal of Python's): two custodians, one after the other, or no keys. */
import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { joinRecoveryCode } from '../../firmware/tpm/index.ts';
import { runPython } from '../support/dimse-tools.ts';
import { LoneBox } from '../support/lone-box.ts';

const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));

/**
 * Runs the command below a terminal and answers as custodians do: Enter, Enter, and the half that the screen showed, or
 * what they mistook for it. Prints what the screen got, and how the command ended.
 */
const custodians = `
import json, os, pty, re, sys
mistaken, program = sys.argv[1] == 'mistaken', sys.argv[2:]
pid, screen = pty.fork()
if pid == 0:
    os.execv(program[0], program)
got, answered, half = '', 0, ''
while True:
    try:
        part = os.read(screen, 4096)
    except OSError:
        break
    if not part:
        break
    got += part.decode()
    new = got[answered:]
    shown = re.search(r'half of the recovery code: ([0-9a-f ]+)', new)
    if shown:
        half = shown.group(1).strip()
    asked = re.search(r'(Press Enter to see the \\w+ half|press Enter: it is shown no more|Type the \\w+ half from the paper): $', new)
    if asked:
        answered = len(got)
        line = ('0' * 4 if mistaken else half) if asked.group(1).startswith('Type') else ''
        os.write(screen, (line + '\\n').encode())
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({'status': status, 'got': got}))
`;

interface Sitting {
  readonly status: number;
  readonly got: string;
}

const sit = (how: 'right' | 'mistaken', box: LoneBox): Promise<Sitting> =>
  runPython(custodians, [
    how,
    ...[process.execPath, mainPath, 'enrol', '--config', box.configPath],
  ]) as Promise<Sitting>;

const halfPattern = /half of the recovery code: ([0-9a-f ]+)/g;
/** As a terminal is told to forget what it showed. */
const cleared = '\u001b[2J\u001b[3J\u001b[H';

test('each half is on a screen that was cleared before and is cleared after, and the two are the code', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  const { status, got } = await sit('right', box);
  assert.equal(status, 0, got);
  const halves = [...got.matchAll(halfPattern)].map(([, half]) => (half ?? '').trim());
  const [first, second, ...others] = halves;
  assert.ok(first !== undefined && second !== undefined && others.length === 0, got);
  assert.notEqual(first, second);
  assert.equal(joinRecoveryCode(first, second).kind, 'code');
  // Between two clearings a screen shows one half at most, and the last one none.
  const screens = got.split(cleared);
  for (const screen of screens)
    assert.ok(!(screen.includes(first) && screen.includes(second)), JSON.stringify(screen));
  assert.doesNotMatch(screens.at(-1) ?? '', /([0-9a-f]{4} ){4}/);
  await access(join(box.dataFolder, 'keys.json'));
  assert.doesNotMatch(await readFile(join(box.dataFolder, 'keys.json'), 'utf8'), new RegExp(first));
});

test('who cannot read back the half has no keys made', async (t) => {
  const box = await LoneBox.make(t, 'ashdown');
  const { status, got } = await sit('mistaken', box);
  assert.equal(status, 1);
  assert.match(got, /the first half of the recovery code was not confirmed.*\[KEYS_NOT_MADE\]/);
  await assert.rejects(access(join(box.dataFolder, 'keys.json')), { code: 'ENOENT' });
});
