/**
 * Reception in figures: the same sender against our box, dcmtk's storescp and Orthanc, on this machine, taken in turns.
 * Each run sends objects under new UIDs, so that none is a repetition, and begins when the disk has nothing to write and
 * memory is at hand.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BenchResult } from '../bench.ts';
import { ModalityLink } from './modality-link.ts';
import { memoryOf, resetPeak } from './process-memory.ts';
import { type Receiver, startBox, startOrthanc, startStorescp } from './receivers.ts';
import { Runs } from './runs.ts';
import { send, writeLogConfiguration } from './sender.ts';
import { warmMemory } from './warm-memory.ts';
import { ctSlices, multiFrame, smallObjects, Workload, type WorkloadShape } from './workload.ts';

export interface IngestOptions {
  /** Pairs of each comparison; the figures are their medians. */
  readonly rounds: number;
  /** Smaller workloads and no multi-frame of 4 GB: for development. */
  readonly quick: boolean;
  /** Names of cases; all if empty. */
  readonly only: readonly string[];
}

const run = promisify(execFile);

/** After the start, and after the load: what a box holds when nothing has happened for a while. */
const idleMs = 10_000;

/** Between two runs, so that what somebody tidies up or prepares after one is not the next one's load. */
const restMs = 2000;

/**
 * What a box receives before the first measured run of a case, unmeasured: whichever comes first. It runs for months, and
 * V8 compiles well what has run some thousand times: until then objects take up to twice as long.
 */
const warmUpObjects = 5000;
const warmUpBytes = 3e9;

/** Memory warmed for a run, beyond twice what is sent: the receiver's own. */
const warmBytesMin = 268_435_456;

interface Case {
  readonly name: string;
  readonly shape: WorkloadShape;
  readonly associations: number;
  /** As most modalities send; the receivers are then as they come, and the box has its quickack route. */
  readonly nagle: boolean;
  readonly peers: readonly string[];
}

/** The peers by the names that the table gives them. */
const storescp = 'storescp +B';
const storescpFork = 'storescp +B --fork';
const storescpSync = 'storescp +B, sync of each file';
const orthanc = 'Orthanc';

function casesOf({ quick, only }: IngestOptions): readonly Case[] {
  const ct = ctSlices(quick ? 100 : 400);
  const small = smallObjects(quick ? 500 : 2000);
  const big = multiFrame(quick ? 128e6 : 512e6);
  // Nagle's algorithm costs the peers some 45 to 90 ms an object: fewer objects tell as much.
  const nagle = smallObjects(quick ? 40 : 200);
  const all: readonly Case[] = [
    { name: 'ct', shape: ct, associations: 1, nagle: false, peers: [storescp, storescpSync, orthanc] },
    { name: 'ct4', shape: ct, associations: 4, nagle: false, peers: [storescp, storescpFork, orthanc] },
    { name: 'small', shape: small, associations: 1, nagle: false, peers: [storescp, storescpSync, orthanc] },
    { name: 'small4', shape: small, associations: 4, nagle: false, peers: [storescp, storescpFork, orthanc] },
    { name: 'big', shape: big, associations: 1, nagle: false, peers: [storescp] },
    { name: 'nagle', shape: nagle, associations: 1, nagle: true, peers: [storescp, orthanc] },
  ];
  return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
}

/** The command that storescp runs for each object, before it reads the next request: the closest to an fsync that it has. */
const syncEachFile = ['--exec-on-reception', 'sync #p/#f', '--exec-sync'];

class Bench {
  readonly #options: IngestOptions;
  readonly #folder: string;
  readonly #after: (cleanup: () => Promise<void>) => void;
  readonly #workloads = new Map<string, Workload>();
  #logConfig = '';

  constructor(options: IngestOptions, folder: string, after: (cleanup: () => Promise<void>) => void) {
    this.#options = options;
    this.#folder = folder;
    this.#after = after;
  }

  async measure(): Promise<BenchResult> {
    const cases = casesOf(this.#options);
    this.#logConfig = await writeLogConfiguration(this.#folder);
    const link = await ModalityLink.open();
    this.#after(() => link.close());
    progress('The box starts, and stands idle for a while …');
    const box = await this.#start('box', (folder) => startBox(folder, [link.box.network]));
    await delay(idleMs);
    const memory = await this.#memory(cases, box, link);
    const runs = new Runs();
    for (const one of cases) await this.#compare(one, box, link, runs);
    return report(cases, runs, memory);
  }

  /**
   * What reception takes above idle: twice each case, so that everything was in use, and what the box remembers of the
   * objects that it then holds does not count for more than it does in a day.
   */
  async #memory(cases: readonly Case[], box: Receiver, link: ModalityLink): Promise<Memory> {
    progress('Memory: each case twice, unmeasured …');
    await resetPeak(box.pid);
    const idle = await memoryOf(box.pid);
    for (const one of [...cases, ...cases])
      await this.#run(one, 'box', box, await this.#workload(one.shape), link);
    const peak = await memoryOf(box.pid);
    const peakHuge = this.#options.quick ? undefined : await this.#peakOfHuge(box);
    return { idle: idle.residentBytes, peak: peak.peakBytes, peakHuge };
  }

  async #compare(one: Case, box: Receiver, link: ModalityLink, runs: Runs): Promise<void> {
    progress(`${one.name}: ${one.shape.what}, ${one.associations} at a time${one.nagle ? ', Nagle' : ''}`);
    const workload = await this.#workload(one.shape);
    for (let count = warmUpsOf(one, workload.bytes); count > 0; count--)
      await this.#run(one, 'box', box, workload, link);
    let round = 0;
    for (const name of one.peers) {
      const peer = await this.#startPeer(name, !one.nagle);
      const pair: readonly [string, Receiver][] = [
        ['box', box],
        [name, peer],
      ];
      // What nobody used for half a minute may be gone from memory: both begin with a run that does not count.
      for (const [who, receiver] of pair) await this.#run(one, who, receiver, workload, link);
      for (const end = round + this.#options.rounds; round < end; round++) {
        // In turns, and the other first in every second round: what drifts hits both.
        for (const [who, receiver] of round % 2 === 0 ? pair : pair.toReversed()) {
          const seconds = await this.#run(one, who, receiver, workload, link);
          runs.add({ case: one.name, receiver: who, round, seconds });
        }
      }
      await peer.stop();
    }
  }

  async #run(
    one: Case,
    name: string,
    receiver: Receiver,
    workload: Workload,
    link: ModalityLink,
  ): Promise<number> {
    await workload.renew();
    await receiver.clear();
    await run('sync');
    await delay(restMs);
    await warmMemory(this.#folder, 2 * workload.bytes + warmBytesMin);
    const { host } = name === 'box' ? link.box : link.peers;
    const seconds = await send(workload.files, one.nagle ? { ...receiver.target, host } : receiver.target, {
      noDelay: !one.nagle,
      prefix: one.nagle ? link.prefix : [],
      associations: one.associations,
      logConfig: this.#logConfig,
    });
    const { objects } = one.shape;
    progress(
      `  ${name.padEnd(32)} ${seconds.toFixed(2).padStart(7)} s  ${((1000 * seconds) / objects).toFixed(2).padStart(8)} ms an object` +
        `  ${(workload.bytes / 1e6 / seconds).toFixed(0).padStart(5)} MB/s`,
    );
    return seconds;
  }

  /** The peak while one multi-frame of 4 GB arrives. */
  async #peakOfHuge(box: Receiver): Promise<number> {
    progress('A multi-frame of 4 GB, for memory …');
    const workload = await this.#workload(multiFrame(4e9));
    await delay(idleMs);
    await resetPeak(box.pid);
    const sender = { noDelay: true, prefix: [], associations: 1, logConfig: this.#logConfig };
    const seconds = await send(workload.files, box.target, sender);
    progress(`  box ${seconds.toFixed(1)} s, ${(workload.bytes / 1e6 / seconds).toFixed(0)} MB/s`);
    return (await memoryOf(box.pid)).peakBytes;
  }

  async #workload(shape: WorkloadShape): Promise<Workload> {
    const made = this.#workloads.get(shape.what);
    if (made !== undefined) return made;
    const workload = await Workload.make(join(this.#folder, `sent-${this.#workloads.size}`), shape);
    this.#workloads.set(shape.what, workload);
    return workload;
  }

  #startPeer(name: string, noDelay: boolean): Promise<Receiver> {
    return this.#start(name.replaceAll(/\W+/g, '-'), (folder) => {
      switch (name) {
        case orthanc:
          return startOrthanc(folder, noDelay);
        case storescpFork:
          return startStorescp(folder, { noDelay, options: ['--fork'] });
        case storescpSync:
          return startStorescp(folder, { noDelay, options: syncEachFile });
        default:
          return startStorescp(folder, { noDelay, options: [] });
      }
    });
  }

  async #start(name: string, start: (folder: string) => Promise<Receiver>): Promise<Receiver> {
    const receiver = await start(await mkdtemp(join(this.#folder, `${name}-`)));
    this.#after(() => receiver.stop());
    return receiver;
  }
}

function warmUpsOf({ shape }: Case, bytes: number): number {
  return Math.ceil(Math.min(warmUpObjects / shape.objects, warmUpBytes / bytes));
}

interface Memory {
  readonly idle: number;
  readonly peak: number;
  readonly peakHuge: number | undefined;
}

function report(cases: readonly Case[], runs: Runs, memory: Memory): BenchResult {
  const rows: [string, string][] = [];
  for (const { name, shape, associations, nagle, peers } of cases) {
    const title = `${shape.what}, ${associations === 1 ? 'one association' : `${associations} associations`}`;
    const seconds = runs.median(name, 'box');
    rows.push([
      `${title}${nagle ? ', sender with Nagle, quickack route' : ''}`,
      `${seconds.toFixed(2)} s, ${((1000 * seconds) / shape.objects).toFixed(2)} ms an object`,
    ]);
    for (const peer of peers) {
      rows.push([
        `  over ${peer}`,
        `${runs.ratio(name, peer).toFixed(2)} × (it takes ${runs.median(name, peer).toFixed(2)} s)`,
      ]);
    }
  }
  const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1));
  const peakBytes = Math.max(memory.peak, memory.peakHuge ?? 0);
  rows.push(['memory of the receiving process, idle', `${megabytes(memory.idle)} MB`]);
  rows.push(['  at its peak under all of the above', `${megabytes(memory.peak)} MB`]);
  if (memory.peakHuge !== undefined)
    rows.push(['  at its peak under a multi-frame of 4 GB', `${megabytes(memory.peakHuge)} MB`]);
  const figure = (name: string, peer: string): number => Number(runs.ratio(name, peer).toFixed(2));
  return {
    rows,
    json: {
      bench: 'ingest',
      ctVsStorescp: figure('ct', storescp),
      ctVsStorescp4: figure('ct4', storescp),
      ctVsOrthanc: Math.min(figure('ct', orthanc), figure('ct4', orthanc)),
      smallVsStorescp: figure('small', storescp),
      smallVsStorescp4: figure('small4', storescp),
      smallVsOrthanc: Math.min(figure('small', orthanc), figure('small4', orthanc)),
      bigVsStorescp: figure('big', storescp),
      nagleSmallVsStorescp: figure('nagle', storescp),
      nagleSmallVsOrthanc: figure('nagle', orthanc),
      idleRssMB: megabytes(memory.idle),
      peakRssMB: megabytes(peakBytes),
    },
  };
}

function progress(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function undo(cleanups: readonly (() => Promise<void>)[]): Promise<void> {
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

/**
 * In a network namespace of its own (modality-link.ts). Everything it starts and writes is ended and removed, also when it
 * is aborted: it then rejects.
 */
export async function benchIngest(options: IngestOptions, signal: AbortSignal): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-bench-'));
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  let cleaning: Promise<void> | undefined;
  const clean = (): Promise<void> => (cleaning ??= undo(cleanups));
  // Gigabytes are not left behind by who has seen enough.
  signal.addEventListener('abort', () => void clean());
  try {
    return await new Bench(options, folder, (cleanup) => cleanups.push(cleanup)).measure();
  } finally {
    await clean();
  }
}
