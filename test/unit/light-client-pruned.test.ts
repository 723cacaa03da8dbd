/** A light client among boxes that have dropped the blocks of its epoch, and one that never had them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import { basisId, encodeHeader, encodeTransaction, genesisState } from '../../firmware/src/ledger/index.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { basisKeys, judgeBasis } from '../../firmware/wallet/ledger-claims.ts';
import { LightClient } from '../../firmware/wallet/light-client.ts';
import { Cluster } from '../fakes/cluster.ts';
import { keysExpiry, signerOf } from '../fakes/ledger.ts';

const epochMs = 20_000;

test('from an epoch whose blocks nobody has any more, it goes to now and has a grant of then proved', async (t) => {
  const cluster = new Cluster(['north', 'south', 'east', 'west'], {
    parameters: { epochMs },
    bodiesKeptEpochs: 2,
  });
  t.after(() => cluster.stopAll());
  for (const id of ['north', 'south', 'east']) await cluster.start(id);
  const owner = signerOf('owner');
  const { transaction, ids } = cluster.fixture.register('south', 'batch', [owner]);
  const [study] = ids as readonly [StudyId];
  const grant = cluster.fixture.grantBody(study, 1, signerOf('grantee').publicKey, { expiry: keysExpiry });
  for (const each of [transaction, cluster.fixture.sign(grant, owner)]) {
    void cluster.box('south').validator.submit(encodeTransaction(each));
    await cluster.time.pass(500);
  }
  await cluster.time.pass(5 * epochMs + 15_000);
  // It begins from a snapshot, and has seen no block of the first epochs.
  await cluster.start('west');
  await cluster.time.pass(5_000);

  const id = basisId(grant);
  for (const box of cluster.ids) {
    const { validator } = cluster.box(box);
    assert.ok(validator.firstBlock() > 0, `${box} has dropped the first blocks`);
    const client = new LightClient(cluster.fixture.chain, genesisState(cluster.genesis).epoch());
    await followAll(client, validator, cluster.time.now);
    const keys = basisKeys(study, id);
    const { block, certificate } = validator.evidence();
    const proven = await client.verifyValues(
      { header: encodeHeader(block.header), certificate: encodeCertificate(certificate) },
      keys,
      keys.map((key) => validator.state().prove(key)),
      cluster.time.now,
    );
    assert.ok(proven.kind === 'proven', box);
    assert.equal(proven.header.height, validator.head().height);
    assert.equal(judgeBasis(study, proven.values, proven.header.time).kind, 'active');
  }
});

/** Goes on to the newest epoch by what this box has. */
async function followAll(client: LightClient, validator: Validator, now: number): Promise<void> {
  while (client.epoch.number < validator.state().epoch().number) {
    const handover = await validator.handover(client.epoch.number);
    assert.ok(handover !== undefined, `the handover of epoch ${client.epoch.number} is there`);
    const followed = await client.follow(handover, now);
    assert.equal(followed.kind, 'followed');
  }
}
