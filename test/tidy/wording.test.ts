/** What may not stand in a committed file: promises to do it later, the author's machine, silenced tests and errors. */
import assert from 'node:assert/strict';
import test from 'node:test';
import ts from 'typescript';
import { codeFiles, files, nodesOf, placeOf, read } from './source-tree.ts';

/** Binary files and the vectors of others hold no words. */
const textFiles = files.filter((path) => !/\.(png|jpg|ico|bin|dcm|woff2)$/.test(path));

/** Every line that matches, as `path:line`. The words are put together here, so that this file does not match. */
function linesWith(pattern: RegExp, paths: readonly string[] = textFiles): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
      ),
  );
}

test('nothing is left for later', () => {
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'];
  assert.deepEqual(linesWith(new RegExp(`\\b(${words.join('|')})\\b`)), []);
});

test('no path of a person or a machine', () => {
  const folders = ['work', 'root', 'Users', 'home'].map((name) => `/${name}/`);
  assert.deepEqual(linesWith(new RegExp(`(?<![\\w.*-])(${folders.join('|')})`)), []);
});

test('no host of a package registry', () => {
  const hosts = [
    ['registry', 'npmjs', 'org'],
    ['registry', 'yarnpkg', 'com'],
    ['deb', 'debian', 'org'],
    ['security', 'debian', 'org'],
    ['archive', 'ubuntu', 'com'],
    ['deb', 'nodesource', 'com'],
    ['pypi', 'org'],
  ].map((labels) => labels.join('\\.'));
  assert.deepEqual(linesWith(new RegExp(hosts.join('|'))), []);
});

test('no test is left out, and none is run alone', () => {
  const silencers = new Set(['only', 'skip', 'todo']);
  const runners = new Set(['test', 'it', 'describe', 'suite', 't', 'context']);
  const wrong: string[] = [];
  for (const path of codeFiles.filter((path) => path.startsWith('test/') && path.endsWith('.test.ts'))) {
    for (const node of nodesOf(path)) {
      const byMember =
        ts.isPropertyAccessExpression(node) &&
        silencers.has(node.name.text) &&
        runners.has(node.expression.getText());
      const byOption =
        ts.isPropertyAssignment(node) &&
        silencers.has(node.name.getText()) &&
        ts.isObjectLiteralExpression(node.parent) &&
        ts.isCallExpression(node.parent.parent) &&
        runners.has(node.parent.parent.expression.getText());
      if (byMember || byOption) wrong.push(placeOf(path, node));
    }
  }
  assert.deepEqual(wrong, []);
});

function isEmptyHandler(node: ts.Node | undefined): boolean {
  return (
    node !== undefined &&
    (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) &&
    ts.isBlock(node.body) &&
    node.body.statements.length === 0
  );
}

test('no error is swallowed', () => {
  const wrong: string[] = [];
  for (const path of codeFiles) {
    for (const node of nodesOf(path)) {
      const emptyCatch = ts.isCatchClause(node) && node.block.statements.length === 0;
      const emptyHandler =
        ts.isCallExpression(node) &&
        ts.isPropertyAccessExpression(node.expression) &&
        node.expression.name.text === 'catch' &&
        isEmptyHandler(node.arguments[0]);
      if (emptyCatch || emptyHandler) wrong.push(placeOf(path, node));
    }
  }
  assert.deepEqual(wrong, []);
});

test('no rule is switched off without its reason', () => {
  const directive = new RegExp(
    ['@ts-' + 'ignore', '@ts-' + 'nocheck', 'eslint-' + 'disable(?!.* -- )'].join('|'),
  );
  assert.deepEqual(linesWith(directive, codeFiles), []);
});

test('the process is ended by its entry points only', () => {
  const entryPoints = [
    /^firmware\/src\/main\.ts$/,
    /^firmware\/tpm\/broker\/main\.ts$/,
    /^provisioning\/(demo\/demo|wallet\/cli)\.ts$/,
    /^test\/run\.ts$/,
    /^test\/bench\/bench\.ts$/,
  ];
  const wrong: string[] = [];
  for (const path of codeFiles.filter((path) => !entryPoints.some((entry) => entry.test(path)))) {
    for (const node of nodesOf(path)) {
      const exits =
        ts.isPropertyAccessExpression(node) &&
        node.name.text === 'exit' &&
        node.expression.getText() === 'process';
      if (exits) wrong.push(placeOf(path, node));
    }
  }
  assert.deepEqual(wrong, []);
});
