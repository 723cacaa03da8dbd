/**
 * Pure rooms have no clock, no randomness, no timers and no I/O of their own. ESLint says it while one writes; this
 * test does not depend on a configuration file that a line can switch off.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import ts from 'typescript';
import { rooms } from './rooms.ts';
import { codeFiles, nodesOf, placeOf } from './source-tree.ts';

const impureNames = new Set([
  'Buffer',
  'Date',
  'console',
  'fetch',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'setImmediate',
  'setInterval',
  'setTimeout',
]);

/** These run in lock-step on every box and in simulation: not even a promise. */
const deterministic = new Set(['encoding', 'ledger', 'consensus']);

const pureFiles = (names?: ReadonlySet<string>): readonly string[] =>
  codeFiles.filter((path) =>
    rooms.some(
      (room) =>
        room.pure &&
        (names?.has(room.name) ?? true) &&
        (path === room.path || (room.path.endsWith('/') && path.startsWith(room.path))),
    ),
  );

/** An identifier that stands for a value, not the name of a member, a property or a type. */
function isValueReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent)) {
    return 'initializer' in parent && parent.initializer === node;
  }
  return !(ts.isTypeReferenceNode(parent) || ts.isMethodSignature(parent) || ts.isMethodDeclaration(parent));
}

test('no clock, timer, process or network', () => {
  const wrong: string[] = [];
  for (const path of pureFiles()) {
    for (const node of nodesOf(path)) {
      if (!ts.isIdentifier(node) || !impureNames.has(node.text) || !isValueReference(node)) continue;
      wrong.push(`${placeOf(path, node)}: ${node.text}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no Math.random', () => {
  const wrong: string[] = [];
  for (const path of pureFiles()) {
    for (const node of nodesOf(path)) {
      if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random')
        wrong.push(placeOf(path, node));
    }
  }
  assert.deepEqual(wrong, []);
});

test('the deterministic rooms wait for nothing and draw no random bytes', () => {
  const wrong: string[] = [];
  for (const path of pureFiles(deterministic)) {
    for (const node of nodesOf(path)) {
      const waits = ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword;
      const draws =
        ts.isIdentifier(node) &&
        ['crypto', 'Promise', 'randomBytes'].includes(node.text) &&
        isValueReference(node);
      if (waits || draws) wrong.push(placeOf(path, node));
    }
  }
  assert.deepEqual(wrong, []);
});
