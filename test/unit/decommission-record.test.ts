/** The record of a box that was put out of service: it holds what was signed, and a changed one is noticed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkRecord,
  completedRecord,
  recordBody,
  signedRecord,
} from '../../firmware/src/box/decommission-record.ts';
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { FakeDeviceKeys } from '../fakes/device-keys.ts';

const at = Date.UTC(2026, 10, 22, 21);

async function record(): Promise<string> {
  const keys = new FakeDeviceKeys('north');
  const body = recordBody({
    institution: { id: 'north', name: 'Northgate Hospital' },
    at,
    identityPublicKey: keys.identityPublicKey,
    attestationName: new Uint8Array(34).fill(1),
    endorsementDigest: new Uint8Array(32).fill(2),
    standing: 'no member at height 12',
    files: [{ name: 'keys.json', digest: new Uint8Array(32).fill(3) }],
    studies: 7,
  });
  return completedRecord(signedRecord(body, await keys.signWithIdentity(utf8(body))), at + 1_000);
}

test('a record says whose box it was, what was destroyed and that it is signed by its key', async () => {
  const text = await record();
  const checked = checkRecord(text);
  assert.equal(checked.hospital, 'Hospital: north, Northgate Hospital');
  assert.ok(checked.isDone);
  const [, identity = ''] = /^Identity key \(P-256\): (.*)$/m.exec(text) ?? [];
  assert.equal(checked.identityDigest, toHex(sha256(fromHex(identity))));
  assert.ok(checked.names('keys.json', new Uint8Array(32).fill(3)));
  assert.ok(!checked.names('keys.json', new Uint8Array(32).fill(4)));
  assert.ok(!checkRecord(text.slice(0, text.indexOf('Done: '))).isDone);
  for (const part of [
    'no member at height 12',
    'Studies that nobody can read any more: 7',
    '  keys.json 0303',
  ])
    assert.ok(text.includes(part), part);
  assert.match(text, /Done: 2026-11-22T21:00:01.000Z/);
});

test('a record in which anything that was signed is changed is refused', async () => {
  const text = await record();
  const changes: readonly (readonly [string, string])[] = [
    ['north,', 'south,'],
    ['height 12', 'height 13'],
    ['read any more: 7', 'read any more: 8'],
    ['  keys.json 03', '  keys.json 04'],
    ['HILUM: A BOX', 'HILUM: THE BOX'],
    ['and s): ', 'and s): 00'],
  ];
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), from);
    assert.throws(() => checkRecord(text.replace(from, to)), { code: 'DOCUMENT_INVALID' }, from);
  }
  const other = new FakeDeviceKeys('south').identityPublicKey;
  const key = /Identity key \(P-256\): ([0-9a-f]+)/.exec(text)?.[1] ?? '';
  assert.throws(() => checkRecord(text.replace(key, Buffer.from(other).toString('hex'))), {
    code: 'DOCUMENT_INVALID',
  });
  assert.throws(() => checkRecord(''), { code: 'DOCUMENT_INVALID' });
});
