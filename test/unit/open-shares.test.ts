/** What one member may have of the releases that a source opens in an epoch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessRecordsOfEpochMax } from '../../firmware/src/ledger/limits.ts';
import { opensOfMemberMax } from '../../firmware/src/release/limits.ts';
import { OpenShares } from '../../firmware/src/release/open-shares.ts';

function taken(shares: OpenShares, member: string, epoch: number): number {
  let opens = 0;
  while (shares.take(member, epoch)) opens++;
  return opens;
}

test('a member that opens whatever it can leaves the others theirs, and has its own again in the next epoch', () => {
  const shares = new OpenShares();
  assert.equal(taken(shares, 'south', 3), opensOfMemberMax);
  assert.ok(shares.take('east', 3));
  assert.equal(taken(shares, 'south', 4), opensOfMemberMax);
  assert.equal(taken(shares, 'east', 4), opensOfMemberMax);
});

test('the shares of seven members leave the source an eighth of what the ledger lets it sign', () => {
  // Two records for each.
  assert.ok(7 * 2 * opensOfMemberMax <= (7 / 8) * accessRecordsOfEpochMax);
});
