/** docs/threat-model.md tells of every attribute of every transaction what it reveals, and of none that there is not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { transactionTypeNames } from '../../firmware/src/ledger/index.ts';

const page = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8');
const { transactions } = JSON.parse(
  readFileSync(new URL('../vectors/transaction.json', import.meta.url), 'utf8'),
) as {
  readonly transactions: readonly { readonly value: { readonly body: { readonly type: string } } }[];
};

const table = page.slice(page.indexOf('### Attribute by attribute'), page.indexOf('**Of blocks:**'));
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| transaction '))
  .map((line) => line.split(' | '));
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);

function toldOf(type: string): Set<string> {
  const told = rows.filter(([types = '']) => types === '| all' || quoted(types).includes(type));
  return new Set(told.flatMap(([, attributes = '']) => quoted(attributes)));
}

test('each transaction’s attributes are in the table, and no others', () => {
  assert.deepEqual(new Set(transactions.map(({ value }) => value.body.type)), new Set(transactionTypeNames));
  // Left out of most transactions, and told of once.
  const now = (names: Iterable<string>) => new Set([...names].filter((name) => name !== 'leaf'));
  for (const type of transactionTypeNames) {
    const bodies = transactions.filter(({ value }) => value.body.type === type);
    const attributes = new Set(bodies.flatMap(({ value }) => Object.keys(value.body)));
    assert.deepEqual([...now(toldOf(type))].sort(), [...now(attributes), 'signatures'].sort(), type);
  }
  assert.ok(toldOf('access.grant').has('leaf'));
});

test('the table names no transaction that there is not', () => {
  const named = new Set(rows.flatMap(([types = '']) => quoted(types)));
  for (const type of named) assert.ok((transactionTypeNames as readonly string[]).includes(type), type);
});
