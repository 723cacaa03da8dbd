/** What the ledger says of a box that was put out of service: only one that was the hospital's last is withdrawn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standingOf } from '../../firmware/src/box/record-standing.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { noChain } from '../../firmware/src/ledger/index.ts';
import { candidate } from '../fakes/ledger-consortium.ts';

const own = candidate(noChain, 'north');
const other = candidate(noChain, 'south');
const record = { institution: 'north', identityDigest: toHex(sha256(own.keys.identity)) };

for (const [member, departed, isWithdrawn, words] of [
  [own, undefined, false, /with this very box: its membership is not withdrawn/],
  [own, other, false, /with this very box/],
  [other, undefined, false, /a member with another box/],
  [undefined, own, true, /this box was its last: its membership is withdrawn/],
  [undefined, other, false, /its last box was another one/],
  [undefined, undefined, false, /never was a member/],
] as const)
  test(`${words.source}, where ${member?.id ?? 'nobody'} is a member and ${departed?.id ?? 'nobody'} has left`, () => {
    const standing = standingOf(record, member, departed);
    assert.equal(standing.isWithdrawn, isWithdrawn);
    assert.match(standing.words, words);
    assert.ok(standing.words.startsWith('north '));
  });
