/**
 * `npm test`: types, lint and format first, then every test file in a process of its own. Prints a line per file,
 * the whole output of those that failed, a table of times, and the totals. Exit status 0 only if all passed.
 */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { argv } from 'node:process';
import { killRunningChildren, runChild } from './runner/child.ts';
import { selectionOf } from './runner/selection.ts';
import type { Selection } from './runner/selection.ts';
import { atATime, type Check, type Suite } from './runner/suites.ts';
import { runTestFile } from './runner/test-file.ts';

const root = join(import.meta.dirname, '..');

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly failures: readonly string[];
}

const say = (text: string): void => console.log(text);

function sayResult(ok: boolean, name: string, note: string, seconds: number): void {
  say(`${ok ? '✔' : '✘'} ${name.padEnd(58)} ${note.padStart(12)} ${seconds.toFixed(1).padStart(7)} s`);
}

function sayOutput(name: string, problems: readonly string[], output: string): void {
  say(`\n──── ${name} ────`);
  if (output.trim() !== '') say(output.trimEnd());
  for (const problem of problems) say(`✘ ${name}: ${problem}`);
  say('─'.repeat(name.length + 10));
}

async function runCheck(check: Check): Promise<Outcome> {
  const startedAt = performance.now();
  const { problem, output } = await runChild(check.args, { timeoutMs: check.timeoutMs, env: process.env });
  const seconds = (performance.now() - startedAt) / 1000;
  const ok = problem === undefined;
  sayResult(ok, `${check.name} (${check.what})`, '', seconds);
  if (!ok) sayOutput(check.name, [problem], output);
  return {
    name: check.name,
    passed: ok ? 1 : 0,
    failed: ok ? 0 : 1,
    seconds,
    failures: ok ? [] : [check.name],
  };
}

function filesOf(suite: Suite, selection: Selection): readonly string[] {
  return globSync(`test/${suite.name}/**/*.test.ts`, { cwd: root })
    .sort()
    .filter(
      (file) => selection.fileParts.length === 0 || selection.fileParts.some((part) => file.includes(part)),
    );
}

/** Several at a time, begun in order. */
async function workThrough<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}

async function runChecks(some: readonly Check[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await workThrough(some, async (check) => {
    outcomes.push(await runCheck(check));
  });
  return outcomes;
}

interface SuiteFile {
  readonly suite: Suite;
  readonly file: string;
}

/** One suite goes into the next: no processor waits for the last file of a suite. Seconds are those of its files. */
async function runSuites(files: readonly SuiteFile[], selection: Selection): Promise<Outcome[]> {
  const outcomes = new Map<Suite, Outcome>();
  await workThrough(files, async ({ suite, file }) => {
    const result = await runTestFile(join(root, file), suite.timeoutMs, selection.nodeOptions);
    const name = relative('test', file);
    const ok = result.failed === 0;
    const before = outcomes.get(suite);
    outcomes.set(suite, {
      name: suite.name,
      passed: (before?.passed ?? 0) + result.passed,
      failed: (before?.failed ?? 0) + result.failed,
      seconds: (before?.seconds ?? 0) + result.seconds,
      failures: [...(before?.failures ?? []), ...(ok ? [] : [name])],
    });
    sayResult(ok, name, `${result.passed + result.failed} tests`, result.seconds);
    if (!ok) sayOutput(name, result.problems, result.output);
  });
  return [...outcomes.values()];
}

function saySummary(outcomes: readonly Outcome[]): void {
  say('');
  for (const { name, passed, failed, seconds } of outcomes) {
    sayResult(failed === 0, name, `${passed} / ${passed + failed}`, seconds);
  }
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (failures.length > 0) say(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
  const total = (pick: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + pick(outcome), 0);
  say(`\n${total(({ passed }) => passed)} passed, ${total(({ failed }) => failed)} failed`);
}

/**
 * Hundreds of processes read the same modules: what Node made of them is kept for the time of this run. Half of what the
 * start of a box costs. No box does so in a hospital: what runs there is measured as it lies on the disk.
 */
function keepCompiled(): void {
  const folder = mkdtempSync(join(tmpdir(), 'hilum-compiled-'));
  process.env['NODE_COMPILE_CACHE'] = folder;
  process.on('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
}

async function main(words: readonly string[]): Promise<boolean> {
  process.chdir(root);
  keepCompiled();
  const selection = selectionOf(words);
  const startedAt = performance.now();
  const outcomes = await runChecks(selection.checks);
  const files = selection.suites.flatMap((suite) =>
    filesOf(suite, selection).map((file) => ({ suite, file })),
  );
  outcomes.push(...(await runSuites(files, selection)));
  if (selection.fileParts.length > 0 && outcomes.length === selection.checks.length) {
    say(`No test file has ${selection.fileParts.join(' or ')} in its path.`);
    return false;
  }
  saySummary(outcomes);
  say(`${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`);
  return outcomes.length > 0 && outcomes.every(({ failed }) => failed === 0);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    killRunningChildren();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}
process.exitCode = (await main(argv.slice(2))) ? 0 : 1;
