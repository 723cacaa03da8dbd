/** What a well-behaved association keeps of its speed while a crowd of hostile peers is at the same port. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchResult } from '../bench.ts';
import { memoryOf, resetPeak } from '../ingest/process-memory.ts';
import { startBox } from '../ingest/receivers.ts';
import { median } from '../ingest/runs.ts';
import { send, writeLogConfiguration } from '../ingest/sender.ts';
import { ctSlices, Workload } from '../ingest/workload.ts';
import { HostileCrowd, hostilePeers } from './crowd.ts';
import { floods } from './floods.ts';

const objects = 100;
/** Each alone and in the crowd. */
const rounds = 5;
/** Until the crowd has its places, and again until they are given back. */
const settleMs = 3_000;
/** Each kind of flood by itself, so many times. */
const floodRounds = 3;
const floodSettleMs = 1_000;
/** Who the hostile ones say they are: admitted for more than the sender is. */
const hostileAeTitle = 'HOSTILE';
const megabyte = 1024 * 1024;

export async function benchHostile(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-hostile-'));
  const box = await startBox(
    join(folder, 'box'),
    [],
    [{ aeTitle: hostileAeTitle, may: ['store', 'commitment'] }],
  );
  const alone: number[] = [];
  const beside: number[] = [];
  let counts = { ended: 0, hostileObjects: 0 };
  try {
    const workload = await Workload.make(join(folder, 'ct'), ctSlices(objects));
    const logConfig = await writeLogConfiguration(folder);
    const sender = { noDelay: true, prefix: [], associations: 1, logConfig };
    const once = async (): Promise<number> => {
      await workload.renew();
      return send(workload.files, box.target, sender);
    };
    await once();
    const { residentBytes } = await memoryOf(box.pid);
    await resetPeak(box.pid);
    for (let round = 1; round <= rounds; round++) {
      process.stderr.write(`round ${round} of ${rounds}\n`);
      alone.push(await once());
      const crowd = new HostileCrowd(box.target, hostileAeTitle);
      crowd.start();
      await delay(settleMs);
      beside.push(await once());
      crowd.stop();
      counts = {
        ended: counts.ended + crowd.counts.ended,
        hostileObjects: counts.hostileObjects + crowd.counts.hostileObjects,
      };
      await delay(settleMs);
    }
    const { peakBytes } = await memoryOf(box.pid);
    const floodRows: (readonly [string, string])[] = [];
    const besideFloods: number[] = [];
    for (const flood of floods) {
      process.stderr.write(`${flood.what}\n`);
      const kept: number[] = [];
      for (let round = 1; round <= floodRounds; round++) {
        // Each right after one alone: the box gets faster while the bench runs, and the machine is not always as busy.
        const before = await once();
        const crowd = new HostileCrowd(box.target, hostileAeTitle);
        crowd.flood(flood);
        await delay(floodSettleMs);
        kept.push(before / (await once()));
        crowd.stop();
        await delay(floodSettleMs);
      }
      besideFloods.push(median(kept));
      floodRows.push([`kept beside ${flood.connections} × ${flood.what}`, percent(median(kept))]);
    }
    const besideVsAlone = median(alone) / median(beside);
    return {
      rows: [
        [`${objects} CT slices alone`, `${median(alone).toFixed(2)} s`],
        [`the same beside ${hostilePeers} hostile peers`, `${median(beside).toFixed(2)} s`],
        ['speed that is kept', percent(besideVsAlone)],
        ...floodRows,
        ['hostile objects, hostile connections that were ended', `${counts.hostileObjects}, ${counts.ended}`],
        ['memory before, and at its peak', `${mb(residentBytes)} MB, ${mb(peakBytes)} MB`],
      ],
      json: {
        bench: 'hostile',
        besideVsAlone: Number(besideVsAlone.toFixed(2)),
        besideWorstFloodVsAlone: Number(Math.min(...besideFloods).toFixed(2)),
        idleRssMB: mb(residentBytes),
        peakRssMB: mb(peakBytes),
      },
    };
  } finally {
    await box.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(0)} %`;
}

function mb(bytes: number): number {
  return Number((bytes / megabyte).toFixed(1));
}
