/** Boxes stop at the end of an epoch: its handover, on which light clients and new boxes depend, completes nevertheless. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { Cluster } from '../fakes/cluster.ts';
import { epochMs } from '../support/epochs.ts';

/** Of the writes at the end of epoch 0 only so many reach the disk of this box; at the next one it stops. */
function stopAfterWrites(cluster: Cluster, id: string, count: number): void {
  const box = cluster.box(id);
  const { blockLog, validator } = box;
  const { handovers } = cluster.disksOf(id);
  let left = count;
  const cut = (write: () => Promise<void>): Promise<void> => {
    if (left-- > 0) return write();
    return new Promise(() => queueMicrotask(() => cluster.crash(id)));
  };
  const append = blockLog.append.bind(blockLog);
  blockLog.append = (records) => {
    const closes = records.some((record) => {
      const { header } = decodeKeptRecord(new Uint8Array(record)).block;
      return header.epoch === 0 && validator.state().closesEpoch(header);
    });
    return closes ? cut(() => append(records)) : append(records);
  };
  const write = handovers.write.bind(handovers);
  handovers.write = (operations) => {
    const isDraft = operations.some((each) => 'put' in each && each.put.startsWith('handover-draft/'));
    return isDraft && cluster.boxes.get(id) === box ? cut(() => write(operations)) : write(operations);
  };
}

for (const [institutions, stopped] of [
  [['north', 'south', 'east'], 1],
  [['north', 'south', 'east', 'west'], 2],
] as const) {
  for (const writes of [0, 1]) {
    test(`${stopped} of ${institutions.length} stop after ${writes} writes at an epoch's end`, async (t) => {
      const cluster = new Cluster(institutions, { parameters: { epochMs } });
      t.after(() => cluster.stopAll());
      await cluster.startAll();
      const broken = cluster.ids.slice(0, stopped);
      for (const id of broken) stopAfterWrites(cluster, id, writes);
      await cluster.time.pass(120_000, () => broken.every((id) => !cluster.boxes.has(id)));
      assert.ok(
        broken.every((id) => !cluster.boxes.has(id)),
        'the epoch has ended',
      );
      for (const id of broken) await cluster.start(id);
      await cluster.time.pass(120_000);
      for (const id of cluster.ids) {
        const { validator } = cluster.box(id);
        assert.ok(validator.state().epoch().number > 1, id);
        assert.notEqual(await validator.handover(0), undefined, id);
      }
    });
  }
}
