/** A voting key that another member has by right: the box takes another, and its keys go on from epoch to epoch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { boxOf } from '../fakes/ledger.ts';
import { certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { epochMs, startedCluster, untilEpoch } from '../support/epochs.ts';

test('a box whose next voting key the ledger refuses as another’s makes a new one', async (t) => {
  const cluster = await startedCluster(t);
  const voting = cluster.disksOf('south').keys;
  const offered = await voting.make();
  const signer = voting.signer(offered);
  assert.ok(signer !== undefined);
  const make = new ConsortiumFixture(cluster.fixture);
  const keys = certifiedKeys(cluster.fixture.chain, 'west', 'west', { signers: { transport: signer } });
  const naming = cluster
    .box('west')
    .validator.submit(encodeTransaction(make.update('west', 2, keys, boxOf('west').transaction)));
  await cluster.time.pass(3_000);
  assert.equal((await naming).kind, 'final');
  await untilEpoch(cluster, 3, 'north', 8 * epochMs);
  const validator = cluster
    .box('north')
    .validator.state()
    .epoch()
    .validators.find(({ id }) => id === 'south');
  assert.ok(validator !== undefined);
  assert.notDeepEqual(validator.voting, cluster.fixture.box('south').voting.publicKey);
  assert.notDeepEqual(validator.voting, offered);
});
