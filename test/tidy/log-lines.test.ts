/** The log keeps an error by its code, kind and place. Of a mere string it keeps nothing: it could be a patient's. */
import assert from 'node:assert/strict';
import test from 'node:test';
import ts from 'typescript';
import { codeFiles, nodesOf } from './source-tree.ts';

/** The fields that firmware/src/box/pino-log.ts takes for errors. */
const errorFields = new Set(['error', 'err', 'cause']);

function isText(value: ts.Expression): boolean {
  if (ts.isStringLiteralLike(value) || ts.isTemplateExpression(value)) return true;
  if (ts.isConditionalExpression(value)) return isText(value.whenTrue) || isText(value.whenFalse);
  if (ts.isCallExpression(value))
    return ts.isIdentifier(value.expression) && value.expression.text === 'String';
  return ts.isPropertyAccessExpression(value) && ['message', 'name', 'stack'].includes(value.name.text);
}

test('an error is logged itself, not its words', () => {
  const wrong = codeFiles
    .filter((path) => /^firmware\/(src|dimse|tpm)\//.test(path))
    .flatMap((path) =>
      [...nodesOf(path)]
        .filter((node) => ts.isPropertyAssignment(node))
        .filter((node) => errorFields.has(node.name.getText()) && isText(node.initializer))
        .map((node) => `${path}: ${node.getText()}`),
    );
  assert.deepEqual(wrong, []);
});
