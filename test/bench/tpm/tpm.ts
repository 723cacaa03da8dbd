/**
 * The TPM binding beside a plain C program over ESYS and beside the commands of tpm2-tools: one software TPM, the same
 * objects, the same sessions (salted to the storage root key, parameters encrypted), in turns.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SoftwareTpm } from '../../../firmware/tpm/index.ts';
import { silentLogger } from '../../fakes/consortium.ts';
import type { BenchResult } from '../bench.ts';
import { buildCClient } from './c-client.ts';
import { median, operations, type Operation, type Runner } from './operation.ts';
import { OwnClient, writeObjects, type Objects } from './own-client.ts';
import { openTools } from './tools-client.ts';

export interface TpmBenchOptions {
  /** Turns of each comparison. */
  readonly rounds: number;
}

/** Of each side in one round. */
const operationsPerRound = 40;
/** Each is half a dozen programs. */
const toolRuns = 5;
const starts = 9;
/** V8 compiles what runs often; a box has run for longer than this. */
const warmUpOperations = 100;
const nsPerMs = 1e6;

interface Comparison {
  readonly ownMs: number;
  readonly cMs: number;
  /** Median over the rounds of our median over theirs. */
  readonly versusC: number;
}

async function timed(run: () => Promise<void>, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let left = count; left > 0; left--) {
    const begun = performance.now();
    await run();
    times.push(performance.now() - begun);
  }
  return times;
}

/** Every second round begins with the other side. */
async function compare(operation: Operation, own: Runner, c: Runner, rounds: number): Promise<Comparison> {
  const ratios: number[] = [];
  const ownMs: number[] = [];
  const cMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const sides = [
      { run: own, into: ownMs },
      { run: c, into: cMs },
    ];
    if (round % 2 === 1) sides.reverse();
    for (const { run, into } of sides) into.push(median(await run(operation, operationsPerRound)));
    ratios.push((ownMs.at(-1) ?? Number.NaN) / (cMs.at(-1) ?? Number.NaN));
  }
  return { ownMs: median(ownMs), cMs: median(cMs), versusC: median(ratios) };
}

/** From nothing to the first secret: a broker is forked, loads tpm2-tss, opens the TPM, derives the root, unseals. */
async function startToUnseal(own: OwnClient, objects: Objects): Promise<number> {
  const times: number[] = [];
  for (let left = starts; left > 0; left--) {
    const begun = performance.now();
    own.open();
    await own.run('unseal', objects);
    times.push(performance.now() - begun);
    await own.close();
  }
  return median(times);
}

const rounded = (figure: number): number => Math.round(figure * 100) / 100;

async function measure(folder: string, tpm: SoftwareTpm, rounds: number): Promise<BenchResult> {
  await tpm.start();
  const { tcti } = await tpm.open();
  const own = new OwnClient(tpm, silentLogger);
  own.open();
  const objects = await own.make();
  await writeObjects(folder, objects);
  const c = await buildCClient(folder, tcti);
  for (const operation of operations) await timed(() => own.run(operation, objects), warmUpOperations);

  const delay = monitorEventLoopDelay({ resolution: 1 });
  const ours: Runner = async (operation, count) => {
    delay.enable();
    const times = await timed(() => own.run(operation, objects), count);
    delay.disable();
    return times;
  };
  const comparisons = new Map<Operation, Comparison>();
  for (const operation of operations) comparisons.set(operation, await compare(operation, ours, c, rounds));
  await own.close();
  const startMs = await startToUnseal(own, objects);

  const tools = await openTools(folder, tcti);
  const toolsMs = new Map<Operation, number>();
  for (const operation of operations) toolsMs.set(operation, median(await tools(operation, toolRuns)));

  const versusC = (operation: Operation): number =>
    rounded(comparisons.get(operation)?.versusC ?? Number.NaN);
  const eventLoopP99Ms = delay.percentile(99) / nsPerMs;
  const rows = operations.map((operation) => {
    const { ownMs = Number.NaN, cMs = Number.NaN } = comparisons.get(operation) ?? {};
    const tool = toolsMs.get(operation) ?? Number.NaN;
    const figure = `${ownMs.toFixed(2)} ms, C ${cMs.toFixed(2)} ms, tpm2-tools ${tool.toFixed(0)} ms`;
    return [operation, `${figure}; ${versusC(operation).toFixed(2)} × C`] as const;
  });
  return {
    rows: [
      ...rows,
      ['start to first unseal', `${startMs.toFixed(0)} ms`],
      ['event loop of the main process meanwhile, p99', `${eventLoopP99Ms.toFixed(2)} ms`],
    ],
    json: {
      bench: 'tpm',
      sealVsC: versusC('seal'),
      unsealVsC: versusC('unseal'),
      signVsC: versusC('sign'),
      quoteVsC: versusC('quote'),
      startToUnsealMs: Math.round(startMs),
      eventLoopP99Ms: rounded(eventLoopP99Ms),
    },
  };
}

export async function benchTpm({ rounds }: TpmBenchOptions): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-bench-tpm-'));
  const tpm = new SoftwareTpm({ stateFolder: join(folder, 'swtpm'), logger: silentLogger });
  try {
    return await measure(folder, tpm, rounds);
  } finally {
    await tpm.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
