/**
 * The ledger in figures: four boxes as processes of this machine; twenty and a hundred validators in one process on
 * virtual time; bytes. Docs/scale.md says what follows from them.
 */
import type { BenchResult } from '../bench.ts';
import { costs, type Costs } from './costs.ts';
import { measureCosts } from './cost-measurement.ts';
import { loadFigures, type LoadFigures } from './figures.ts';
import { fourBoxesLedger, runFourBoxes } from './four-boxes.ts';
import { SimulatedBoxes, simulatedLedger } from './simulated-boxes.ts';
import { measureSizes, type Sizes } from './sizes.ts';
import { fullLoadFromMs, workload, type LoadOptions } from './workload.ts';

export type LedgerCase = 'four' | 'twenty' | 'hundred' | 'sizes' | 'costs' | 'limit';
export const ledgerCases: readonly LedgerCase[] = ['four', 'twenty', 'hundred', 'sizes', 'costs', 'limit'];

export interface LedgerBenchOptions {
  /** Shorter runs: for development, not for figures. */
  readonly quick: boolean;
  /** Empty: all but `costs` and `limit`. */
  readonly only: readonly LedgerCase[];
}

/** A little more than what is to be carried, so that the rates of the window show it. */
const fourLoad = { batchStudies: 256, studiesPerSecond: 1536, signedPerSecond: 303 };
const fourWindowMs = 60_000;
/** The same mix, more and more of it: how much four boxes on this machine carry. Signed transactions a second. */
const limitRates = [400, 500, 600, 700, 800];
const limitWindowMs = 20_000;
/** Carried: of what was asked, this part in the window, and p95 within what is asked of 300 a second. */
const carriedPart = 0.98;
const p95MsMax = 400;
/** Enough studies to grant. */
const simulatedLoad = { batchStudies: 64, studiesPerSecond: 150, signedPerSecond: 300 };
const simulatedWindowMs = { twenty: 20_000, hundred: 8000 };
const quickWindowMs = 5000;
const lines = { roundTripMsMin: 50, roundTripMsMax: 100, megabitsPerSecond: 1000, seed: 4 };

type Rows = [what: string, figure: string][];

function progress(line: string): void {
  process.stdout.write(`${line}\n`);
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;
const times = ({ p50Ms, p95Ms, maxMs }: LoadFigures): string =>
  `p50 ${ms(p50Ms)}, p95 ${ms(p95Ms)}, longest ${ms(maxMs)}`;
const reasons = (refused: Readonly<Record<string, number>>): string =>
  Object.entries(refused)
    .map(([reason, count]) => `${count} × ${reason}`)
    .join(', ') || 'none';

interface FourFigures extends LoadFigures {
  readonly rows: Rows;
}

async function four(
  load: Omit<LoadOptions, 'ms'>,
  windowMs: number,
  signal: AbortSignal,
): Promise<FourFigures> {
  const window = { fromMs: fullLoadFromMs, toMs: fullLoadFromMs + windowMs };
  progress(`signing what four boxes get within ${window.toMs / 1000} s`);
  const all = workload(fourBoxesLedger(), { ...load, ms: window.toMs });
  progress(`four boxes: ${load.studiesPerSecond} studies/s in bulk, ${load.signedPerSecond} signed tx/s`);
  const run = await runFourBoxes(all, signal);
  const figures = loadFigures(all, run.finals, window);
  const cpu = run.reports.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / window.toMs;
  const refused: Record<string, number> = {};
  for (const report of run.reports)
    for (const [reason, count] of Object.entries(report.refused))
      refused[reason] = (refused[reason] ?? 0) + count;
  const rows: Rows = [
    ['  studies a second, in bulk', figures.studiesPerSecond.toFixed(0)],
    ['  signed transactions a second', figures.signedPerSecond.toFixed(1)],
    ['  their finality', times(figures)],
    ['  finality of registrations in bulk, p95', ms(figures.bulkP95Ms)],
    ['  blocks a second', ((1000 * run.blocks) / window.toMs).toFixed(1)],
    ['  not final; refused', `${figures.lost} of ${figures.count}; ${reasons(refused)}`],
    ['  processors at work, of all four boxes', cpu.toFixed(2)],
    [
      '  memory of a box, the largest',
      `${(Math.max(...run.reports.map(({ residentBytes }) => residentBytes)) / 1e6).toFixed(0)} MB`,
    ],
    ['  one-time keys verified a second, all four boxes', (4 * figures.signedPerSecond).toFixed(0)],
  ];
  return { ...figures, rows };
}

/** The highest rate that is still carried, and the rows of all that were tried. */
async function limit(signal: AbortSignal, windowMs: number): Promise<Rows> {
  const rows: Rows = [];
  for (const signedPerSecond of limitRates) {
    const load = { ...fourLoad, studiesPerSecond: 1536, signedPerSecond };
    const figures = await four(load, windowMs, signal);
    const isCarried = figures.signedPerSecond >= carriedPart * signedPerSecond && figures.p95Ms <= p95MsMax;
    rows.push([
      `${signedPerSecond} signed tx/s asked of four boxes`,
      `${figures.signedPerSecond.toFixed(0)} carried, ${times(figures)}`,
    ]);
    if (!isCarried) break;
  }
  return rows;
}

async function simulated(validators: number, windowMs: number): Promise<FourFigures> {
  const window = { fromMs: fullLoadFromMs, toMs: fullLoadFromMs + windowMs };
  const ledger = simulatedLedger(validators);
  const load = workload(ledger, { ...simulatedLoad, ms: window.toMs });
  progress(`${validators} validators, ${window.toMs / 1000} s of virtual time`);
  const begunAt = performance.now();
  const run = await new SimulatedBoxes(ledger, lines, costs).run(load, (virtualMs) => {
    const seconds = ((performance.now() - begunAt) / 1000).toFixed(0);
    progress(`  ${(virtualMs / 1000).toFixed(0)} s of it after ${seconds} s`);
  });
  const figures = loadFigures(load, run.finals, window);
  const rows: Rows = [
    ['  signed transactions a second', figures.signedPerSecond.toFixed(1)],
    ['  their finality', times(figures)],
    ['  blocks a second', ((1000 * run.blocks) / window.toMs).toFixed(1)],
    ['  not final; refused', `${figures.lost} of ${figures.count}; ${reasons(run.refused)}`],
    ['  processor of a box at work, mean; busiest', `${percent(run.meanBusy)}; ${percent(run.busiest)}`],
    ['  sent by a box, mean', `${run.megabitsPerSecond.toFixed(1)} Mbit/s`],
  ];
  return { ...figures, rows };
}

const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;

function sizeRows(sizes: Sizes): Rows {
  const bytes = (value: number): string => `${value.toFixed(0)} bytes`;
  return [
    ['a study registered in bulk, its part of a full block', `${sizes.bytesPerStudyBulk.toFixed(1)} bytes`],
    ['  singly', `${sizes.bytesPerStudySingle.toFixed(1)} bytes`],
    ['grant, with the leaf of its study; without', `${sizes.grantWithLeaf}; ${bytes(sizes.grant)}`],
    ['opening; closing; revocation', `${sizes.open}; ${sizes.close}; ${bytes(sizes.revoke)}`],
    ['empty block with the certificate of four', bytes(sizes.emptyBlock)],
    ['state of a batch', bytes(sizes.batchStateBytes)],
    ['state of a used study', `${sizes.usedStudyRecords} records, ${bytes(sizes.usedStudyStateBytes)}`],
    ["memory of a study's record in the state", bytes(sizes.memoryPerRecord)],
  ];
}

async function costRows(): Promise<Rows> {
  const measured: Partial<Costs> = await measureCosts();
  return (Object.keys(costs) as (keyof Costs)[]).map((name) => {
    const now = measured[name];
    return [
      name,
      `${costs[name]} ms in the table, ${now === undefined ? 'not measured' : `${now.toPrecision(2)} ms`} here now`,
    ];
  });
}

export async function benchLedger(
  { quick, only }: LedgerBenchOptions,
  signal: AbortSignal,
): Promise<BenchResult> {
  const isWanted = (one: LedgerCase): boolean =>
    only.length > 0 ? only.includes(one) : one !== 'costs' && one !== 'limit';
  const rows: Rows = [];
  const window = (full: number): number => (quick ? quickWindowMs : full);
  const figures: Record<string, number | null> = {
    studiesPerSecond4: null,
    signedTps4: null,
    finalityP95MsAt300Tps4: null,
    finalityP95Ms20: null,
    finalityP95Ms100: null,
    bytesPerStudyBulk: null,
    bytesPerStudySingle: null,
  };
  if (isWanted('costs')) rows.push(['what steps cost', ''], ...(await costRows()));
  if (isWanted('sizes')) {
    const sizes = measureSizes();
    rows.push(...sizeRows(sizes));
    figures['bytesPerStudyBulk'] = rounded(sizes.bytesPerStudyBulk);
    figures['bytesPerStudySingle'] = rounded(sizes.bytesPerStudySingle);
  }
  if (isWanted('four')) {
    const found = await four(fourLoad, window(fourWindowMs), signal);
    rows.push(['four boxes as processes', ''], ...found.rows);
    figures['studiesPerSecond4'] = rounded(found.studiesPerSecond);
    figures['signedTps4'] = rounded(found.signedPerSecond);
    figures['finalityP95MsAt300Tps4'] = rounded(found.p95Ms);
  }
  for (const [one, validators] of [
    ['twenty', 20],
    ['hundred', 100],
  ] as const) {
    if (!isWanted(one)) continue;
    const found = await simulated(validators, window(simulatedWindowMs[one]));
    rows.push([`${validators} validators, simulated`, ''], ...found.rows);
    figures[`finalityP95Ms${validators}`] = rounded(found.p95Ms);
  }
  if (isWanted('limit')) rows.push(...(await limit(signal, window(limitWindowMs))));
  return { rows, json: { bench: 'ledger', ...figures } };
}

const rounded = (value: number): number => Number(value.toFixed(1));
