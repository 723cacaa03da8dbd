import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';

async function started(t: TestContext, cluster = new Cluster()): Promise<Cluster> {
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  return cluster;
}

function register(cluster: Cluster, source: string, batch: string): { bytes: Uint8Array; study: string } {
  const { transaction, ids } = cluster.fixture.register(source, batch, [signerOf(`owner ${batch}`)]);
  return { bytes: encodeTransaction(transaction), study: ids[0] ?? '' };
}

test('a transaction is final on all boxes within a few message delays', async (t) => {
  const cluster = await started(t);
  await cluster.time.pass(100);
  const { bytes } = register(cluster, 'south', 'one');
  const before = cluster.time.now;
  const submitted = cluster.box('south').validator.submit(bytes);
  await cluster.time.pass(2000, () => cluster.heights().every((height) => height === 1));
  assert.ok(cluster.time.now - before <= 10, `${cluster.time.now - before} ms`);
  const outcome = await submitted;
  assert.equal(outcome.kind, 'final');
  for (const id of cluster.ids) {
    const { validator, final } = cluster.box(id);
    assert.equal(final.length, 1);
    const { block, certificate } = validator.evidence();
    assert.equal(block.header.height, 1);
    assert.equal(toHex(certificate.digest), toHex(validator.head().digest));
  }
});
