/** The allow-table of rooms.ts, held: who may import whom, and which packages. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path/posix';
import test from 'node:test';
import { importsOf } from './imports.ts';
import { rooms } from './rooms.ts';
import type { Room } from './rooms.ts';
import { codeFiles, files } from './source-tree.ts';

const governed = codeFiles.filter((path) => path.startsWith('firmware/') || path.startsWith('provisioning/'));

/** The room with the longest path that holds the file. */
function roomOf(path: string): Room | undefined {
  return rooms
    .filter((room) => (room.path.endsWith('/') ? path.startsWith(room.path) : path === room.path))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

/** `@scope/name/sub/path.js` → `@scope/name` */
const packageOf = (specifier: string): string =>
  specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

const isBuiltIn = (specifier: string): boolean => specifier.startsWith('node:') || specifier === 'process';

/** Why the import is not allowed, or undefined if it is. */
function objection(from: Room, path: string, specifier: string, typeOnly: boolean): string | undefined {
  if (isBuiltIn(specifier)) return from.pure ? `${from.name} is pure and knows no Node` : undefined;
  if (!specifier.startsWith('.')) {
    return from.packages.includes(packageOf(specifier))
      ? undefined
      : `${from.name} may not import that package`;
  }
  const target = join(dirname(path), specifier);
  const to = roomOf(target);
  if (to === undefined) return 'the import leaves the rooms';
  if (to === from) return undefined;
  if (to.surface !== undefined && target !== to.surface)
    return `${to.name} is imported by ${to.surface} alone`;
  if (from.imports.includes(to.name)) return undefined;
  // A room's own contract is a part of it that others may see.
  if (to.path.startsWith(from.path)) return undefined;
  if (from.types.includes(to.name))
    return typeOnly ? undefined : `${from.name} may import types only from ${to.name}`;
  return `${from.name} may not import ${to.name}`;
}

test('every code file belongs to a room', () => {
  assert.deepEqual(
    governed.filter((path) => roomOf(path) === undefined),
    [],
  );
});

test('every room exists', () => {
  const absent = rooms.filter(
    (room) => !files.some((path) => path === room.path || path.startsWith(room.path)),
  );
  assert.deepEqual(
    absent.map(({ name }) => name),
    [],
  );
});

test('every row names rooms that exist', () => {
  const names = new Set(rooms.map(({ name }) => name));
  const unknown = rooms.flatMap((room) =>
    [...room.imports, ...room.types].filter((name) => !names.has(name)),
  );
  assert.deepEqual(unknown, []);
});

test('rooms import in the direction of the table only', () => {
  const wrong: string[] = [];
  for (const path of governed) {
    const room = roomOf(path);
    if (room === undefined) continue;
    for (const { place, specifier, typeOnly } of importsOf(path)) {
      const why = objection(room, path, specifier, typeOnly);
      if (why !== undefined) wrong.push(`${place} imports ${specifier}: ${why}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no two rooms import each other by value, directly or around', () => {
  const byName = new Map(rooms.map((room) => [room.name, room]));
  const reaches = (from: Room, goal: string, seen: Set<string>): boolean =>
    from.imports.some((name) => {
      if (name === goal) return true;
      const next = byName.get(name);
      if (next === undefined || seen.has(name)) return false;
      seen.add(name);
      return reaches(next, goal, seen);
    });
  assert.deepEqual(
    rooms.filter((room) => reaches(room, room.name, new Set())).map(({ name }) => name),
    [],
  );
});

test('the rule catches what it is there for', () => {
  const catches = (path: string, specifier: string, typeOnly = false): boolean => {
    const room = roomOf(path);
    assert.ok(room);
    return objection(room, path, specifier, typeOnly) !== undefined;
  };
  assert.ok(catches('firmware/src/ledger/apply.ts', '../consensus/types.ts'), 'ledger → consensus');
  assert.ok(catches('firmware/src/ledger/apply.ts', 'node:crypto'), 'a pure room → node:');
  assert.ok(catches('firmware/src/store/level-store.ts', '../p2p/host.ts', true), 'adapter → adapter');
  assert.ok(catches('firmware/dimse/pdu.ts', 'dcmjs-dimse'), 'a package that is not listed');
  assert.ok(catches('firmware/src/ingest/keeper.ts', '../ports.ts'), 'ports by value');
  assert.ok(catches('firmware/console/page.tsx', '../src/http/accounts.ts', true), 'console → server');
  assert.ok(catches('firmware/src/http/app.ts', '../main.ts'), 'anyone → main');
  assert.ok(catches('firmware/src/release/source.ts', '../box/box.ts', true), 'anyone → box');
  assert.ok(!catches('firmware/src/ingest/keeper.ts', '../ports.ts', true));
  assert.ok(!catches('firmware/wallet/wallet.ts', '../src/protocol/notes.ts'));
});
