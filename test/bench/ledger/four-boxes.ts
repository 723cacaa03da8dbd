/** Four boxes as processes of this machine: real signatures, real fsync, real libp2p. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { quorum } from '../../../firmware/src/consensus/types.ts';
import { genesisTime, LedgerFixture } from '../../fakes/ledger.ts';
import { monotonicMs, type BoxReport, type BoxSetup, type FromBox, type ToBox } from './box-messages.ts';
import { whenSoMany, type FinalTimes } from './figures.ts';
import type { Load } from './workload.ts';

export const fourIds: readonly string[] = ['east', 'north', 'south', 'west'];

const program = fileURLToPath(new URL('box-process.ts', import.meta.url));
/** From the order to begin until the load's time 0: every box has it by then. */
const leadMs = 500;
/** After the last transaction was due: what is not final then counts as lost. */
const patienceMs = 15_000;
/** Transactions in one message to a box process. */
const loadPieces = 2000;

type Answer<Kind extends FromBox['kind']> = Extract<FromBox, { readonly kind: Kind }>;

class BoxProcess {
  readonly id: string;
  readonly #child: ChildProcess;

  constructor(setup: BoxSetup) {
    this.id = setup.self;
    this.#child = fork(program, [JSON.stringify(setup)], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  tell(message: ToBox): void {
    this.#child.send(message);
  }

  /** The next message of this kind. @throws Error if the process ends before. */
  async answer<Kind extends FromBox['kind']>(kind: Kind): Promise<Answer<Kind>> {
    const done = new AbortController();
    const { signal } = done;
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new Error(`the process of ${this.id} has ended`);
    });
    const heard = (async (): Promise<Answer<Kind>> => {
      for (;;) {
        const [message] = (await once(this.#child, 'message', { signal })) as [FromBox];
        if (message.kind === kind) return message as Answer<Kind>;
      }
    })();
    try {
      return await Promise.race([heard, ended]);
    } finally {
      done.abort();
      await Promise.allSettled([heard, ended]);
    }
  }

  ask<Kind extends 'open' | 'report'>(kind: Kind): Promise<Answer<Kind>> {
    const answer = this.answer(kind);
    this.tell({ kind });
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }
}

export interface FourBoxesRun {
  readonly finals: FinalTimes;
  readonly reports: readonly BoxReport[];
  /** Blocks that were made. */
  readonly blocks: number;
}

/**
 * Lets four boxes carry the load, until nothing more of it can be expected.
 * @throws Error if one of them ends, or they differ in a block.
 */
export async function runFourBoxes(load: readonly Load[], signal: AbortSignal): Promise<FourBoxesRun> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-bench-'));
  const clockOffsetMs = Date.now() - (genesisTime + 1000);
  const boxes: BoxProcess[] = [];
  try {
    for (const self of fourIds) {
      const own = join(folder, self);
      await mkdir(own);
      boxes.push(new BoxProcess({ self, ids: fourIds, folder: own, clockOffsetMs }));
    }
    const listening = await Promise.all(boxes.map((box) => box.answer('listening')));
    const addresses = Object.fromEntries(boxes.map(({ id }, index) => [id, listening[index]!.address]));
    await Promise.all(
      boxes.map((box) => {
        const connected = box.answer('connected');
        box.tell({ kind: 'members', addresses });
        return connected;
      }),
    );
    for (const box of boxes) await give(box, load);
    const at = monotonicMs() + leadMs;
    for (const box of boxes) box.tell({ kind: 'go', at });
    await delay(leadMs + (load.at(-1)?.dueMs ?? 0), undefined, { signal });
    await settled(boxes, signal);
    const reports = await Promise.all(boxes.map((box) => box.ask('report')));
    return { ...agreed(reports, at), reports };
  } finally {
    await Promise.all(boxes.map((box) => box.stop()));
    await rm(folder, { recursive: true, force: true });
  }
}

async function give(box: BoxProcess, load: readonly Load[]): Promise<void> {
  const own = load.filter((one) => one.box === box.id).map(({ dueMs, bytes }) => ({ dueMs, bytes }));
  for (let from = 0; from < own.length; from += loadPieces) {
    const loaded = box.answer('loaded');
    box.tell({ kind: 'load', load: own.slice(from, from + loadPieces) });
    await loaded;
  }
}

/** Resolves when nothing is open, or the patience ends. */
async function settled(boxes: readonly BoxProcess[], signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 1000) {
    await delay(1000, undefined, { signal });
    const open = await Promise.all(boxes.map((box) => box.ask('open')));
    if (open.every(({ count }) => count === 0)) return;
  }
}

/** When a quorum had each transaction, on the load's time. @throws Error if two boxes differ in a block. */
function agreed(reports: readonly BoxReport[], startedAt: number): Omit<FourBoxesRun, 'reports'> {
  const blocks = new Map<number, { digest: string; ids: readonly string[]; times: number[] }>();
  for (const { finals } of reports) {
    for (const { height, at, digest, ids } of finals) {
      const block = blocks.get(height) ?? { digest, ids, times: [] };
      blocks.set(height, block);
      if (block.digest !== digest) throw new Error(`two boxes differ in block ${height}`);
      block.times.push(at - startedAt);
    }
  }
  const finals = new Map<string, number>();
  for (const { ids, times } of blocks.values()) {
    const at = whenSoMany(times, quorum(fourIds.length));
    if (at !== undefined) for (const id of ids) finals.set(id, at);
  }
  return { finals, blocks: blocks.size };
}

/** The consortium whose keys the box processes have. */
export function fourBoxesLedger(): LedgerFixture {
  return new LedgerFixture(fourIds);
}
