/** A cluster with short epochs, and what is asked of it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Parameters } from '../../firmware/src/ledger/types.ts';
import type { KeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { decodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { Cluster } from '../fakes/cluster.ts';

/** Heartbeats come every 10 s: two or three blocks an epoch. */
export const epochMs = 25_000;

export async function startedCluster(t: TestContext, parameters: Partial<Parameters> = {}): Promise<Cluster> {
  const cluster = new Cluster(['north', 'south', 'east', 'west'], { parameters: { epochMs, ...parameters } });
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  return cluster;
}

export function assertEqualHeads(cluster: Cluster): void {
  const heads = [...cluster.boxes.values()].map(({ validator }) => validator.head());
  for (const head of heads) assert.deepEqual(head, heads[0]);
}

export function recordsOf(cluster: Cluster, id: string): KeptRecord[] {
  return cluster.disksOf(id).blocks.records.map(decodeKeptRecord);
}

/** All boxes in the epoch, with equal ledgers, and nobody accused. */
export function assertInEpoch(cluster: Cluster, epoch: number): void {
  assertEqualHeads(cluster);
  for (const { validator } of cluster.boxes.values()) {
    assert.equal(validator.state().epoch().number, epoch);
    assert.deepEqual(validator.misbehaviour(), []);
    assert.equal(validator.consensus().isVoting, true);
  }
}

export async function untilEpoch(
  cluster: Cluster,
  epoch: number,
  id = 'north',
  msMax = 60_000,
): Promise<void> {
  await cluster.time.pass(msMax, () => cluster.box(id).validator.state().epoch().number >= epoch);
}
