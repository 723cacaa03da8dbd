/** docs/tpm-checks.md names tests that there are. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { files, read } from './source-tree.ts';

const row = /^\| .+ \| ([a-z0-9-]+): (.+) \|$/gm;
const suites = ['unit', 'tpm', 'integration', 'e2e'];

test('every test that docs/tpm-checks.md names is there', () => {
  const named = [...read('docs/tpm-checks.md').matchAll(row)];
  assert.ok(named.length > 40);
  const missing = named.filter(
    ([, file, name = '']) =>
      !suites
        .map((suite) => `test/${suite}/${file}.test.ts`)
        .filter((path) => files.includes(path))
        .some((path) => read(path).includes(name)),
  );
  assert.deepEqual(
    missing.map(([line]) => line),
    [],
  );
});
