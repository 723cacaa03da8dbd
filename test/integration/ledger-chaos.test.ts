/**
 * Seven boxes under load, each a process in a network of its own, killed, frozen and cut off at random: no two ever
 * call different blocks final, nothing that was called final is lost, and the ledger grows whenever a quorum is up.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { boxIds, Chaos, patienceMs } from '../chaos/chaos.ts';
import { plan } from '../chaos/plan.ts';
import { randomFrom } from '../sim/random.ts';

/** `HILUM_CHAOS_MINUTES=10` before a change of consensus, validator, store or p2p is called done. */
const minutes = Number(process.env['HILUM_CHAOS_MINUTES'] ?? 1);
/** `HILUM_CHAOS_SEED=…` repeats the troubles of a run; the machine's scheduling is another each time. */
const seed = Number(process.env['HILUM_CHAOS_SEED'] ?? Date.now() % 1_000_000);

test(`seven boxes through ${minutes} minutes of troubles`, async (t) => {
  t.diagnostic(`HILUM_CHAOS_SEED=${seed}`);
  const random = randomFrom(seed);
  const ms = minutes * 60_000;
  const steps = plan(random, boxIds.length, ms);
  const folder = await mkdtemp(join(tmpdir(), 'hilum-chaos-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const chaos = await Chaos.begin({ folder, random });
  t.after(() => chaos.stop());

  await chaos.endure(steps);
  const reports = await chaos.reports();

  const { progress, witness, boxes } = chaos;
  const epoch = Math.min(...reports.map((report) => report.epoch));
  const count = (trouble: string): number => steps.filter((step) => step.trouble === trouble).length;
  t.diagnostic(
    `${count('kill')} kills, ${count('freeze')} freezes, ${count('unplug')} cables out, ${count('mute')} mutes, ${count('split')} splits; ` +
      `${witness.height} blocks, ${epoch} epochs, ${witness.transactions} transactions called final, ` +
      `${boxes.reduce((sum, { forgotten }) => sum + forgotten, 0)} forgotten by kills; ` +
      `a quorum for ${Math.round(progress.expectedMs / 1000)} s, of which at most ${progress.worstMs} ms without a block`,
  );
  for (const [reason, times] of chaos.refused) t.diagnostic(`refused ${times} times: ${reason}`);
  assert.deepEqual(chaos.complaints, []);
  assert.ok(progress.expectedMs > Math.max(ms / 3, patienceMs), 'there was a quorum to expect progress from');
  assert.ok(witness.transactions > ms / 1000, 'the boxes were under load');
  assert.ok(epoch >= 2, 'epochs ended');
});
