/** The pages under docs/ say what the code says, and the tables behind them are complete. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';
import { decodeConfig } from '../../firmware/src/config.ts';
import { errorTable } from '../../firmware/src/errors.ts';
import { keysOf, rootSchema, smallestConfiguration } from './pages/configuration-page.ts';
import { allLimits } from './pages/limits-page.ts';
import { pages } from './pages/pages.ts';
import { codeFiles, files, nodesOf, read, root } from './source-tree.ts';

for (const [path, write] of Object.entries(pages)) {
  test(`${path} is what test/tidy/write-docs.ts writes`, async () => {
    // By line, so that the difference is readable.
    assert.deepEqual(read(path).split('\n'), (await write()).split('\n'));
  });
}

test('every limit is a whole number with a reason', async () => {
  const wrong = (await allLimits())
    .filter(
      ({ value, reason }) =>
        !(Number.isSafeInteger(value) || typeof value === 'bigint') || reason.length < 10,
    )
    .map(({ room, name }) => `${room}/limits.ts: ${name}`);
  assert.deepEqual(wrong, []);
});

test('every limit is used', async () => {
  const used = new Map<string, Set<string>>();
  for (const path of codeFiles.filter(
    (path) => path.startsWith('firmware/') && !path.endsWith('/limits.ts'),
  )) {
    for (const node of nodesOf(path)) {
      if (!ts.isIdentifier(node)) continue;
      const places = used.get(node.text) ?? new Set();
      used.set(node.text, places.add(path));
    }
  }
  const unused = (await allLimits())
    .filter(({ name }) => !used.has(name))
    .map(({ room, name }) => `${room}: ${name}`);
  assert.deepEqual(unused, []);
});

test('every error code is used', () => {
  const literals = new Set<string>();
  for (const path of codeFiles.filter(
    (path) => !path.startsWith('test/') && path !== 'firmware/src/errors.ts',
  )) {
    for (const node of nodesOf(path)) if (ts.isStringLiteralLike(node)) literals.add(node.text);
  }
  assert.deepEqual(
    Object.keys(errorTable).filter((code) => !literals.has(code)),
    [],
  );
});

test('every error says what to do, in a sentence', () => {
  const wrong = Object.entries(errorTable).filter(([, { remedy }]) => !/^[A-Z].{10,}[.!]$/s.test(remedy));
  assert.deepEqual(wrong, []);
});

test('every configuration key says what it is', () => {
  const wrong = keysOf(rootSchema).filter(({ schema }) => (schema.description ?? '').length < 8);
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('every configuration key is used', () => {
  const members = new Set<string>();
  for (const path of codeFiles.filter(
    (path) => path.startsWith('firmware/') && path !== 'firmware/src/config.ts',
  )) {
    for (const node of nodesOf(path)) {
      if (ts.isPropertyAccessExpression(node)) members.add(node.name.text);
      if (ts.isBindingElement(node)) members.add((node.propertyName ?? node.name).getText());
    }
  }
  const unused = keysOf(rootSchema).filter(
    ({ path }) =>
      !path
        .replaceAll('[]', '')
        .split('.')
        .every((name) => members.has(name)),
  );
  assert.deepEqual(
    unused.map(({ path }) => path),
    [],
  );
});

test('the smallest configuration of docs/configuration.md is one', () => {
  const config = decodeConfig(smallestConfiguration, '/');
  assert.equal(config.institution.id, smallestConfiguration.institution.id);
});

test('documents link to files that exist', () => {
  const broken: string[] = [];
  for (const path of files.filter((path) => path.endsWith('.md'))) {
    const prose = read(path).replaceAll(/```.*?```|`[^`\n]*`/gs, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target === undefined || /^([a-z]+:|#)/.test(target)) continue;
      if (!existsSync(join(root, dirname(path), target.replace(/#.*$/, ''))))
        broken.push(`${path}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});
