/**
 * Runs the consensus core: one input after the other, the votes of a batch of inputs on disk with one fsync, and only
 * then what follows from them. If the vote log fails, the box votes no more and follows on as a reader.
 */
import type { Effect, Input, PersistRecord, Stepped, CoreState } from '../consensus/state.ts';
import { recordsToKeep } from '../consensus/recovery.ts';
import { step } from '../consensus/simplex.ts';
import { AppError } from '../errors.ts';
import type { HealthBoard, Logger, ReplaceableLog } from '../ports.ts';
import type { Electorate } from './electorate.ts';
import { inputsBatchMax, inputsQueuedMax } from './limits.ts';
import type { Place } from './place.ts';
import type { VoteRecord } from './vote-records.ts';
import { encodeVoteRecord } from './vote-records.ts';

export type OutwardEffect = Exclude<Effect, { readonly kind: 'persist' }>;

/** Consensus in one epoch, as it begins or is taken up again. */
export interface Instance {
  readonly electorate: Electorate;
  readonly stepped: Stepped;
  /** Undefined: the box does not vote. */
  readonly voteLog: ReplaceableLog | undefined;
  /** Bytes that the vote log holds already. */
  readonly voteLogBytes: number;
  /** The count of starts under which it is written: a log that is begun anew says it again. */
  readonly start: number;
}

export interface EngineOptions {
  /** After so many bytes the vote log is begun anew. */
  readonly voteLogBytesMax: number;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /**
   * After a task: what makes its final blocks known to the core. It comes before all that waits, which was said without
   * them: the core would vote in views that they have decided, on blocks that are not at hand any more.
   */
  readonly newlyFinal: () => readonly Input[];
  /** The encoded block with this digest: it is written with the vote for it. */
  readonly blockBytes: (digest: Uint8Array) => Uint8Array;
  readonly execute: (effect: OutwardEffect) => void;
  /** After the effects of a batch: final blocks are written, blocks judged and built. May give further inputs. */
  readonly afterBatch: () => Promise<void>;
  /** A core that follows without a vote, from the final head. */
  readonly observe: () => Stepped;
  /** The vote log failed: this box votes no more until an admin acts. */
  readonly voteLogFailed: () => void;
  /** An instance has begun that was handed over by `begin`. */
  readonly begun: () => void;
  /** Where the block log ends. */
  readonly place: () => Place;
  /** The disk failed where the box cannot go on, or the ledger does not execute. */
  readonly failed: (fault: AppError) => void;
}

interface Task {
  readonly kind: 'task';
  readonly run: () => Promise<void>;
  /** The engine ends before its turn. */
  readonly abandon: () => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue: (Input | Task)[] = [];
  #electorate: Electorate;
  #core: CoreState;
  #next: Instance | undefined;
  #startEffects: readonly Effect[];
  #voteLog: ReplaceableLog | undefined;
  #voteLogBytes: number;
  #start: number;
  #wake = Promise.withResolvers<void>();
  #room: PromiseWithResolvers<void> | undefined;
  #running: Promise<void> | undefined;
  #isDue = false;
  #stopped = false;

  constructor(options: EngineOptions, instance: Instance) {
    assertMayVote(instance);
    this.#options = options;
    this.#electorate = instance.electorate;
    this.#core = instance.stepped.state;
    this.#startEffects = instance.stepped.effects;
    this.#voteLog = instance.voteLog;
    this.#voteLogBytes = instance.voteLogBytes;
    this.#start = instance.start;
  }

  /** The validators of the core's epoch. */
  get electorate(): Electorate {
    return this.#electorate;
  }

  get core(): CoreState {
    return this.#core;
  }

  /** False also while the box is in a view in which it may have voted and forgotten it. */
  get isVoting(): boolean {
    const { options, view, floor } = this.#core;
    return options.self !== undefined && view > floor && !this.#stopped;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#halt();
    await this.#running;
  }

  input(...inputs: readonly Input[]): void {
    this.#enqueue(...inputs);
  }

  /** Runs between two batches, so that nothing else changes meanwhile. Undefined: the engine ended before or in it. */
  exclusively<Result>(task: () => Promise<Result>): Promise<Result | undefined> {
    const { promise, resolve } = Promise.withResolvers<Result | undefined>();
    const abandon = (): void => resolve(undefined);
    const run = async (): Promise<void> => {
      try {
        resolve(await task());
      } catch (error) {
        abandon();
        throw error;
      }
    };
    if (this.#stopped) abandon();
    else this.#enqueue({ kind: 'task', run, abandon });
    return promise;
  }

  /** Puts this instance in the place of the one that runs, before the next batch. */
  begin(instance: Instance): void {
    assertMayVote(instance);
    this.#next = instance;
    this.wake();
  }

  /** True while an instance that was handed over has not begun. */
  get isBeginning(): boolean {
    return this.#next !== undefined;
  }

  /** Has `afterBatch` run soon: something has changed outside the core. */
  wake(): void {
    this.#isDue = true;
    this.#wake.resolve();
  }

  /** Undefined while there is room in the queue; otherwise resolves when there is: peers are read no further then. */
  room(): Promise<void> | undefined {
    if (this.#queue.length < inputsQueuedMax || this.#stopped) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  #enqueue(...items: readonly (Input | Task)[]): void {
    if (this.#stopped || items.length === 0) return;
    this.#queue.push(...items);
    this.#wake.resolve();
  }

  #halt(): void {
    this.#stopped = true;
    this.#isDue = true;
    for (const item of this.#queue.splice(0)) if (item.kind === 'task') item.abandon();
    this.#wake.resolve();
    this.#room?.resolve();
  }

  async #run(): Promise<void> {
    try {
      await this.#finishBatch(this.#startEffects);
      for (;;) {
        if (this.#queue.length === 0 && !this.#isDue) await this.#wake.promise;
        this.#wake = Promise.withResolvers<void>();
        this.#isDue = false;
        if (this.#stopped) return;
        await this.#takeOver();
        await this.#runBatch();
      }
    } catch (error) {
      this.#halt();
      // A bug ends the process; a fault ends this part of the box, and the board says so.
      if (!(error instanceof AppError)) throw error;
      this.#options.failed(error);
    }
  }

  async #takeOver(): Promise<void> {
    const next = this.#next;
    if (next === undefined) return;
    this.#next = undefined;
    // What waits was said in the epoch before.
    const tasks = this.#queue.filter(({ kind }) => kind === 'task');
    this.#queue.splice(0, this.#queue.length, ...tasks);
    this.#electorate = next.electorate;
    this.#core = next.stepped.state;
    this.#voteLog = next.voteLog;
    this.#voteLogBytes = next.voteLogBytes;
    this.#start = next.start;
    this.#options.begun();
    await this.#finishBatch(next.stepped.effects);
  }

  async #runBatch(): Promise<void> {
    const effects: Effect[] = [];
    for (let taken = 0; taken < inputsBatchMax; taken++) {
      const item = this.#queue[0];
      if (item === undefined || (item.kind === 'task' && taken > 0)) break;
      this.#queue.shift();
      if (item.kind === 'task') {
        await item.run();
        effects.push(...this.#step(...this.#options.newlyFinal()));
        break;
      }
      effects.push(...this.#step(item));
    }
    if (this.#queue.length < inputsQueuedMax) {
      this.#room?.resolve();
      this.#room = undefined;
    }
    await this.#finishBatch(effects);
  }

  #step(...inputs: readonly Input[]): Effect[] {
    return inputs.flatMap((input) => {
      const { state, effects } = step(this.#core, input);
      this.#core = state;
      return effects;
    });
  }

  /** First everything that must be on disk, in one write; then the rest in order. */
  async #finishBatch(effects: readonly Effect[]): Promise<void> {
    const records: PersistRecord[] = [];
    const outward: OutwardEffect[] = [];
    for (const effect of effects) {
      if (effect.kind === 'persist') records.push(effect.record);
      else outward.push(effect);
    }
    const isWritten = records.length === 0 || this.#voteLog === undefined || (await this.#write(records));
    // What was decided on top of votes that may not be on disk is forgotten with them.
    for (const effect of isWritten ? outward : this.#startObserving()) {
      if (effect.kind !== 'persist') this.#options.execute(effect);
    }
    if (this.#stopped) return;
    await this.#options.afterBatch();
    await this.#beginAnewIfLarge();
  }

  async #write(records: readonly PersistRecord[]): Promise<boolean> {
    const encoded = records.map((record) => encodeVoteRecord(this.#recordOf(record)));
    try {
      await this.#voteLog?.append(encoded);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#options.logger.error({ code: error.code }, 'the vote log failed: this box votes no more');
      this.#options.health.raise(error.code, 'vote log', error.message);
      this.#options.voteLogFailed();
      return false;
    }
    for (const { length } of encoded) this.#voteLogBytes += length;
    return true;
  }

  #startObserving(): readonly Effect[] {
    this.#voteLog = undefined;
    const { state, effects } = this.#options.observe();
    this.#core = state;
    return effects;
  }

  #recordOf(record: PersistRecord): VoteRecord {
    if (record.kind === 'certificate') return { type: 'certificate', certificate: record.certificate };
    const { vote, header } = record;
    return {
      type: 'vote',
      vote,
      block: header === undefined ? null : this.#options.blockBytes(header.digest),
    };
  }

  /** Drops what lies before the last final block, once that is in the block log. */
  async #beginAnewIfLarge(): Promise<void> {
    const { view } = this.#core.final;
    const { epoch } = this.#core.options;
    if (this.#voteLog === undefined || this.#voteLogBytes < this.#options.voteLogBytesMax) return;
    // This core does not know what the log was told for the next one: up to where no vote counts any more.
    if (this.isBeginning) return;
    const place = this.#options.place();
    if (place.epoch !== epoch || place.view !== view) return;
    const kept: VoteRecord[] = [
      { type: 'floor', epoch, view: Math.max(view, this.#core.floor) },
      { type: 'start', number: this.#start },
    ];
    for (const record of recordsToKeep(this.#core)) kept.push(this.#recordOf(record));
    const encoded = kept.map(encodeVoteRecord);
    try {
      await this.#voteLog.replace(encoded);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The old log stands and goes on (or takes no vote, which the next one shows); it is tried again after as many bytes.
      this.#options.logger.warn({ code: error.code }, 'the vote log could not be begun anew');
    }
    this.#voteLogBytes = encoded.reduce((sum, { length }) => sum + length, 0);
  }
}

function assertMayVote({ voteLog, stepped }: Instance): void {
  if (voteLog === undefined && stepped.state.options.self !== undefined) {
    throw new Error('a box without a vote log must not vote');
  }
}
