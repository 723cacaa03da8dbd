/** The recovery code reaches two custodians, one half each, or no keys are made. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { folderCustody, nobodysCustody, terminalCustody } from '../../firmware/src/box/code-custody.ts';
import type { Terminal } from '../../firmware/src/box/terminal.ts';
import { codeConfirmationsMax } from '../../firmware/src/box/limits.ts';
import type { Config } from '../../firmware/src/config.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { refused } from '../support/refused.ts';

const halves = ['aaaa 0001', 'bbbb 0002'] as const;

/** A screen, and custodians who type what `answer` says they have on paper. */
class Screen implements Terminal {
  /** What could be read on it at each question. */
  readonly seen: { readonly screen: string; readonly question: string }[] = [];
  #screen = '';
  readonly #answer: (question: string) => string;

  constructor(answer: (question: string) => string) {
    this.#answer = answer;
  }

  tell(line: string): void {
    this.#screen += `${line}\n`;
  }

  ask(question: string): Promise<string> {
    this.seen.push({ screen: this.#screen, question });
    const answer = this.#answer(question);
    this.#screen += `${question}: ${answer}\n`;
    return Promise.resolve(answer);
  }

  clear(): void {
    this.#screen = '';
  }

  get now(): string {
    return this.#screen;
  }
}

const fromPaper = (question: string): string => {
  if (question.startsWith('Type the first')) return 'AAAA-0001';
  return question.startsWith('Type the second') ? 'bbbb0002' : '';
};

async function configIn(
  t: TestContext,
  kind: 'device' | 'swtpm',
): Promise<{ config: Config; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-custody-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'data'));
  const config = { dataDir: join(folder, 'data'), institution: { id: 'north' }, tpm: { kind } };
  return { config: config as unknown as Config, folder };
}

test('the second half is shown when the first was typed from the paper and is gone from the screen', async () => {
  const screen = new Screen(fromPaper);
  await terminalCustody(screen).hand(halves);
  for (const { screen: text, question } of screen.seen) {
    assert.ok(!(/aaaa/i.test(text) && /bbbb/i.test(text)), text);
    if (question.startsWith('Type')) assert.doesNotMatch(text, /aaaa|bbbb/i);
  }
  const shown = screen.seen.map(({ screen: text }) => text).filter((text) => /aaaa|bbbb/.test(text));
  assert.equal(shown.length, 2);
  assert.doesNotMatch(screen.now, /aaaa|bbbb/i);
});

test('a half that was written down wrongly is shown again, and nobody at all ends it', async () => {
  let tries = 0;
  const clumsy = new Screen((question) =>
    question.startsWith('Type the first') && tries++ === 0 ? 'aaaa 0002' : fromPaper(question),
  );
  await terminalCustody(clumsy).hand(halves);
  assert.equal(clumsy.seen.filter(({ screen }) => screen.includes('aaaa 0001')).length, 2);

  const gone = new Screen(() => '');
  await refused('KEYS_NOT_MADE', terminalCustody(gone).hand(halves));
  assert.equal(gone.seen.filter(({ screen }) => screen.includes('aaaa')).length, codeConfirmationsMax);
  assert.ok(gone.seen.every(({ screen }) => !screen.includes('bbbb')));
});

test('a folder gets a file of each half, for its owner alone, and nothing there is written over', async (t) => {
  const { config, folder } = await configIn(t, 'device');
  const custody = folderCustody(config, folder);
  await custody.prepare();
  await custody.hand(halves);
  for (const [name, half] of [
    ['north-first-half.txt', 'aaaa 0001\n'],
    ['north-second-half.txt', 'bbbb 0002\n'],
  ] as const) {
    assert.equal(await readFile(join(folder, name), 'utf8'), half);
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
  }
  await refused('KEYS_NOT_MADE', custody.prepare());
  await rm(join(folder, 'north-first-half.txt'));
  await writeFile(join(folder, 'north-first-half.txt'), 'of another box');
  await refused('KEYS_NOT_MADE', custody.hand(halves));
  assert.equal(await readFile(join(folder, 'north-first-half.txt'), 'utf8'), 'of another box');

  await refused('KEYS_NOT_MADE', folderCustody(config, join(folder, 'missing')).prepare());
  // Beside what the code opens.
  await refused('KEYS_NOT_MADE', folderCustody(config, config.dataDir).prepare());
});

test('where nobody listens, only development makes keys', async (t) => {
  const logger = new RecordingLogger();
  await refused('KEYS_NOT_MADE', nobodysCustody((await configIn(t, 'device')).config, logger).prepare());
  const custody = nobodysCustody((await configIn(t, 'swtpm')).config, logger);
  await custody.prepare();
  await custody.hand(halves);
  assert.doesNotMatch(JSON.stringify(logger), /aaaa|bbbb/);
});
