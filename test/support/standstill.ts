/** A ledger that stands still because more than f boxes have forgotten how they voted, and the orders to go on. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { Abstaining, RestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster, type ClusterOptions, type Disks } from '../fakes/cluster.ts';

export const forgetful = ['east', 'north', 'south'];

/** Whose roots sign: a quorum. */
export const signers = ['north', 'south', 'west'];

/** Four boxes at the same height, off; the forgetful ones without their vote logs. */
export async function standstill(t: TestContext, options?: ClusterOptions): Promise<Cluster> {
  const cluster = new Cluster(undefined, options);
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  assert.equal(new Set(cluster.heights()).size, 1);
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of forgetful) cluster.disksOf(id).votes.records.length = 0;
  return cluster;
}

/** To go on from the newest block of west, which has forgotten nothing. */
export function orderOf(cluster: Cluster, change: Partial<RestartOrder> = {}): RestartOrder {
  const { validator } = cluster.box('west');
  const { block } = validator.evidence();
  const { height, digest } = validator.head();
  const { epoch, view } = block.header;
  const floor = view + restartViewsMin;
  const { chain } = validator.state();
  const abstaining = forgetful.map((id) => abstainingOf(cluster, id));
  return { chain, epoch, height, digest, view, floor, abstaining, ...change };
}

/**
 * Tells a box, in the name of others, where their newest final block stands: at the order's block, or where `place` says.
 */
export function say(
  cluster: Cluster,
  { epoch, view, height }: RestartOrder,
  from: readonly string[],
  to: string,
  place = { epoch, view },
): void {
  const standing = { epoch: place.epoch, finalView: place.view, from: place.view + 1 };
  const message = encodeMessage({ type: 'standing', standing, height: height + (place.view - view) });
  for (const id of from) if (id !== to) cluster.hub.member(to)?.arrive(id, message);
}

/** As the box says, or will say when it starts. */
export function abstainingOf(cluster: Cluster, institution: string): Abstaining {
  const running = cluster.boxes.get(institution)?.validator.forgottenSince();
  return { institution, start: running ?? cluster.disksOf(institution).starts.count + 1 };
}

/** Puts a box's disks back to what these hold now, without any votes. */
export function copyOf({ blocks, state }: Disks): (disks: Disks) => void {
  const records = [...blocks.records];
  const entries = [...state.entries];
  const { height, digest } = state;
  return (disks) => {
    disks.votes.records.length = 0;
    disks.blocks.records = [...records];
    disks.state.entries.clear();
    for (const [key, value] of entries) disks.state.entries.set(key, value);
    disks.state.height = height;
    disks.state.digest = digest;
  };
}
