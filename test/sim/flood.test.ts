/** Members that flood the consortium with all that its limits allow: what an owner takes back is final at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bulkEntryBytes, encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { blockTransactionBytesMax, bulkEntriesMax } from '../../firmware/src/ledger/limits.ts';
import type { StudyRegisterBulk } from '../../firmware/src/ledger/types.ts';
import { institutionBytesMax } from '../../firmware/src/validator/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import { bytesOf, genesisTime, signerOf } from '../fakes/ledger.ts';

const flooders = ['east', 'west'];
const owner = signerOf('owner');

/** A full registration in bulk: a tenth of a block. Its keys are looked at when one of its studies is used. */
function bulkOf({ fixture }: Cluster, source: string, number: number): Uint8Array {
  const body: StudyRegisterBulk = {
    type: 'study.registerBulk',
    chain: fixture.chain,
    validUntil: genesisTime + 86_400_000,
    source,
    batch: bytesOf(`flood ${source} ${number}`).slice(0, 16),
    ephemeral: bytesOf(`ephemeral ${number}`),
    entries: new Uint8Array(bulkEntryBytes * bulkEntriesMax).fill(number),
  };
  return encodeTransaction(fixture.sign(body, fixture.box(source).transaction));
}

/** Each flooder sends all boxes what one institution may have waiting; nothing is lost or slow. */
function flood(cluster: Cluster): void {
  for (const from of flooders) {
    let bytes = 0;
    for (let number = 0; bytes < institutionBytesMax; number++) {
      const message = encodeMessage({ type: 'transaction', transaction: bulkOf(cluster, from, number) });
      bytes += message.length;
      for (const to of cluster.ids) if (to !== from) cluster.hub.member(from)?.send(to, message);
    }
  }
}

test('under a flood of two members a revocation is final in the next block but one, a registration soon', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(100);
  const { fixture } = cluster;
  const { validator } = cluster.box('south');
  const registration = fixture.register('south', 'mine', [owner]);
  const [study] = registration.ids;
  assert.ok(study !== undefined);
  void validator.submit(encodeTransaction(registration.transaction));
  await cluster.time.pass(100);
  flood(cluster);
  // The flood has arrived, and the first block of it is on its way.
  await cluster.time.pass(100, () => validator.consensus().waiting > 30);
  const before = validator.head().height;
  const revoked = validator.submit(
    encodeTransaction(fixture.sign(fixture.revokeBody(study, { upTo: 1 }), owner)),
  );
  const registered = validator.submit(
    encodeTransaction(fixture.register('south', 'another', [owner]).transaction),
  );
  await cluster.time.pass(5000, () => validator.consensus().waiting === 0);
  const [revocation, other] = [await revoked, await registered];
  assert.ok(revocation.kind === 'final' && other.kind === 'final');
  assert.ok(revocation.height <= before + 2, `${revocation.height - before} blocks`);
  assert.ok(other.height <= before + 3, `${other.height - before} blocks`);
  const blocks = cluster.box('south').final.map(({ block }) => block);
  const full = blocks.filter(
    ({ transactions }) =>
      transactions.reduce((sum, { length }) => sum + length, 0) > blockTransactionBytesMax / 2,
  );
  // Otherwise nothing was held up, and nothing shown.
  assert.ok(full.length >= 3, `${full.length} full blocks`);
  assert.ok(full.some(({ header }) => header.height > revocation.height + 1));
});
