/** What docs/conformance-statement.md lists is all that there is; that it is written from the code, pages.test.ts holds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as dimse from '../../firmware/dimse/index.ts';
import { codeFiles, nodesOf, read } from './source-tree.ts';
import ts from 'typescript';
import { offered, offeredSopClasses } from './pages/conformance/offered.ts';

/** Makers of services that the DICOM room gives the box. */
const makers = Object.keys(dimse).filter((name) => name.endsWith('Service') || name.endsWith('Scp'));

test('every service of the DICOM room is in the conformance statement', () => {
  assert.deepEqual(makers.toSorted(), Object.keys(offered).toSorted());
});

test('every service that is in the conformance statement is one of the box', () => {
  const composed = new Set<string>();
  for (const path of codeFiles.filter((path) => path.startsWith('firmware/src/box/'))) {
    for (const node of nodesOf(path)) {
      if (ts.isCallExpression(node) || ts.isNewExpression(node)) composed.add(node.expression.getText());
    }
  }
  assert.deepEqual(
    makers.filter((name) => !composed.has(name)),
    [],
  );
});

test('each SOP class is served in one role once, and permitted by one permission', () => {
  const keys = offeredSopClasses.map(({ uid, role }) => `${uid} ${role}`);
  assert.deepEqual(keys, [...new Set(keys)]);
  const page = read('docs/conformance-statement.md');
  for (const { uid, role, permission } of offeredSopClasses)
    assert.match(
      page,
      new RegExp(`\\| \`${uid.replaceAll('.', '\\.')}\` \\| ${role} \\| [^|]+ \\| \`${permission}\` \\|`),
    );
});
