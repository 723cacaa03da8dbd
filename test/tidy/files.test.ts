/** Files are small, named by one noun in kebab-case, and live in a room, not in a drawer. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { codeFiles, files, read } from './source-tree.ts';

/** More than this is more than one purpose, and more than a reviewer keeps in mind. */
const LINES_MAX = 500;

/** Files whose names the tools around us prescribe. */
const prescribed = /^(\.[a-z]+(rc|ignore)?(\.json)?|Dockerfile\.[a-z0-9]+|[A-Z]+\.md|\.ci\/run)$/;
/** Python cannot import a name with a dash. */
const pythonModule = /^[a-z0-9]+(_[a-z0-9]+)*\.py$/;
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;

const drawers = new Set([
  'util',
  'utils',
  'lib',
  'libs',
  'common',
  'helper',
  'helpers',
  'misc',
  'shared',
  'stuff',
]);

test(`a code file has at most ${LINES_MAX} lines`, () => {
  const lines = (path: string): number => read(path).trimEnd().split('\n').length;
  const long = [...codeFiles, ...files.filter((path) => path.endsWith('.css') || path.endsWith('.sh'))]
    .filter((path) => lines(path) > LINES_MAX)
    .map((path) => `${path}: ${lines(path)} lines`);
  assert.deepEqual(long, []);
});

test('files and folders are named in kebab-case', () => {
  const wrong = files.filter(
    (path) =>
      !prescribed.test(path) &&
      !path.split('/').every((name) => [kebabCase, prescribed, pythonModule].some((form) => form.test(name))),
  );
  assert.deepEqual(wrong, []);
});

test('no file or folder is a drawer for everything', () => {
  const wrong = files.filter((path) =>
    path.split('/').some((name) => drawers.has(name.replace(/\..*$/, ''))),
  );
  assert.deepEqual(wrong, []);
});

test('a code file says what it is for', () => {
  assert.deepEqual(
    codeFiles.filter((path) => !path.endsWith('.test.ts') && !read(path).includes('/**')),
    [],
  );
});
