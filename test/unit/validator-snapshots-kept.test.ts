/** Which snapshots a box keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRange } from '../../firmware/src/validator/snapshot-records.ts';
import { Snapshots } from '../../firmware/src/validator/snapshots.ts';
import { blockDigest, genesisBlock } from '../../firmware/src/ledger/index.ts';
import { MemoryAppendLog, MemoryLogFolder } from '../fakes/append-log.ts';
import { LedgerFixture } from '../fakes/ledger.ts';

const { header } = genesisBlock(new LedgerFixture().genesis);
const chunk = encodeRange({
  entries: [['key', Uint8Array.of(1)]],
  firstDepth: 0,
  lastDepth: 0,
  left: [],
  right: [],
});

/** Complete snapshots at the ends of the epochs from 1 to `last`. */
async function upTo(last: number): Promise<Snapshots> {
  const headers = new MemoryAppendLog({ records: [] });
  const snapshots = await Snapshots.open({ headers, snapshots: new MemoryLogFolder(), bodiesKeptEpochs: 2 });
  for (let epoch = 1; epoch <= last; epoch++) {
    const block = {
      header: { ...header, epoch, height: epoch, view: 1, proposer: 'north' },
      transactions: [],
    };
    const digest = blockDigest(block.header);
    const certificate = { kind: 'finalize', epoch, view: 1, digest, signatures: [] } as const;
    await snapshots.begin(epoch, { block, certificate });
    await snapshots.add(epoch, chunk, true);
  }
  return snapshots;
}

for (const [handedOverUpTo, kept] of [
  [5, [5, 4]],
  [4, [5, 4]],
  [2, [5, 4, 2]],
  [0, [5, 4]],
] as const) {
  test(`of five snapshots, handed over up to epoch ${handedOverUpTo}, ${kept.join(', ')} are kept`, async () => {
    const snapshots = await upTo(5);
    await snapshots.removeOld((epoch) => Promise.resolve(epoch <= handedOverUpTo));
    assert.deepEqual(
      snapshots.complete().map(({ epoch }) => epoch),
      kept,
    );
  });
}
