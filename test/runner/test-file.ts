/** Runs one test file in a process of its own, with a temporary folder of its own, and judges how it ended. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child.ts';
import type { Counts } from './counts-reporter.ts';
import { RUN_MARK, endLeftovers } from './leftovers.ts';

/** A swtpm or an Orthanc that was told to end needs some time on a loaded machine. */
const LEFTOVER_GRACE_MS = 5_000;

export interface FileResult {
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** Why the file failed, besides its failed tests. */
  readonly problems: readonly string[];
  readonly output: string;
}

async function readCounts(path: string): Promise<Counts | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Counts;
  } catch (error) {
    // Absent or half written: the process died before it could say.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function problemsOf(counts: Counts | undefined, ending: string | undefined): string[] {
  if (counts === undefined) return [ending ?? 'ended without counting its tests'];
  const problems: string[] = [];
  const failed = counts.failed + counts.cancelled;
  // A failed test makes the process exit 1: that is said already.
  if (ending !== undefined && !(ending === 'exited 1' && failed > 0)) problems.push(ending);
  if (counts.passed + failed === 0) problems.push('has no test');
  if (counts.skipped + counts.todo > 0)
    problems.push(`skipped ${counts.skipped + counts.todo} tests; a test may not skip`);
  return problems;
}

/** @param nodeOptions further options for node:test, for example `--test-name-pattern=…` */
export async function runTestFile(
  file: string,
  timeoutMs: number,
  nodeOptions: readonly string[],
): Promise<FileResult> {
  // Short: the sockets of a software TPM live below it, and a socket's path has 107 bytes at most.
  const folder = await mkdtemp(join(tmpdir(), 'hilum-'));
  const run = randomUUID();
  const startedAt = performance.now();
  try {
    const countsPath = join(folder, 'counts.json');
    const { problem, output } = await runChild(
      [
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        `--test-reporter=${join(import.meta.dirname, 'counts-reporter.ts')}`,
        `--test-reporter-destination=${countsPath}`,
        ...nodeOptions,
        file,
      ],
      { timeoutMs, env: { ...process.env, TMPDIR: folder, [RUN_MARK]: run } },
    );
    const seconds = (performance.now() - startedAt) / 1000;
    const leftovers = await endLeftovers(run, LEFTOVER_GRACE_MS);
    const counts = await readCounts(countsPath);
    const problems = [
      ...problemsOf(counts, problem),
      ...leftovers.map(({ pid, command }) => `left process ${pid} running: ${command.slice(0, 200)}`),
    ];
    return {
      passed: counts?.passed ?? 0,
      failed: (counts ? counts.failed + counts.cancelled : 0) + (problems.length > 0 ? 1 : 0),
      seconds,
      problems,
      output,
    };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
