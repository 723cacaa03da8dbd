/** The log of a box holds codes and places, never what an error quotes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

interface Line {
  readonly msg: string;
  readonly level: number;
  readonly time: string;
  readonly institution: string;
  readonly room: string;
  readonly error?: {
    readonly code?: string;
    readonly kind?: string;
    readonly message?: string;
    readonly at?: readonly string[];
    readonly cause?: Line['error'];
  };
}

const script = join(import.meta.dirname, '../support/log-canary.ts');
const { stderr, stdout, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
assert.equal(status, 0, stderr);

const lines = new Map(
  stderr
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as Line)
    .map((line) => [line.msg, line]),
);

test('no name of a patient is logged, wherever an error holds it', () => {
  assert.equal(lines.size, 10);
  assert.ok(!/canary\^|winifred/i.test(stderr), stderr);
  assert.equal(stdout, '', 'standard output is not the log');
});

test('each line is JSON with its time in UTC, its institution and its room', () => {
  for (const { time, institution, room } of lines.values()) {
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual([institution, room], ['north', 'ingest']);
  }
});

test('an error of ours keeps its code, its message and its cause', () => {
  const { error } = lines.get('ours') ?? {};
  assert.equal(error?.code, 'STORE_FAILED');
  assert.equal(error?.message, 'The store cannot be written.');
  assert.equal(error?.cause?.code, 'ENOENT');
  assert.equal(lines.get('cause')?.error?.cause?.code, 'TPM_FAILED');
});

test('of another error its kind, its system code and where it was thrown are left', () => {
  const { error } = lines.get('system') ?? {};
  assert.deepEqual([error?.kind, error?.code, error?.message], ['Error', 'ENOENT', undefined]);
  assert.ok(error?.at?.some((frame) => frame.includes('log-canary.ts')));
  assert.equal(lines.get('lines')?.error?.kind, 'TypeError');
  assert.ok(lines.get('lines')?.error?.at?.every((frame) => /:\d+:\d+\)?$/.test(frame)));
});
