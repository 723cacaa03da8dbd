import { chainId } from '../../firmware/src/ledger/index.ts';
import type { Genesis, Parameters } from '../../firmware/src/ledger/types.ts';
import type { FinalBlock, Logger } from '../../firmware/src/ports.ts';
import type { Message } from '../../firmware/src/validator/messages.ts';
import { decodeMessage } from '../../firmware/src/validator/messages.ts';
import { Validator } from '../../firmware/src/validator/validator.ts';
import { MemoryAppendLog, MemoryLogFolder, type MemoryDisk } from './append-log.ts';
import { silentLogger } from './consortium.ts';
import { MemoryHealthBoard } from './health.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { genesisTime, LedgerFixture, verifyIdentity, verifySignature } from './ledger.ts';
import { memberKeysOf } from './member-keys.ts';
import { MemoryHub } from './network.ts';
import { MemoryStateStore } from './state-store.ts';
import { VirtualTime } from './virtual-clock.ts';
import { MemoryStartCounter, MemoryVotingKeys } from './voting-keys.ts';

/** Decides the fate of a step between two boxes: after how many milliseconds it happens, or never. */
export type Fate = (from: string, to: string) => readonly number[];

/** What a box keeps when it is switched off. */
export interface Disks {
  readonly votes: MemoryDisk;
  readonly blocks: MemoryDisk;
  readonly state: MemoryStateStore;
  readonly keys: MemoryVotingKeys;
  readonly starts: MemoryStartCounter;
  readonly handovers: MemoryStore;
  readonly headers: MemoryDisk;
  readonly snapshots: Map<number, MemoryDisk>;
}

export interface RunningBox {
  readonly validator: Validator;
  readonly voteLog: MemoryAppendLog;
  readonly blockLog: MemoryAppendLog;
  readonly snapshots: MemoryLogFolder;
  readonly health: MemoryHealthBoard;
  readonly final: FinalBlock[];
  readonly life: AbortController;
}

export interface ClusterOptions {
  /** How many of the institutions vote; all by default. */
  readonly validators?: number;
  /** Changes to the parameters of the genesis document. */
  readonly parameters?: Partial<Parameters>;
  readonly logger?: Logger;
  /** Transactions of older epochs are dropped; 100 by default. */
  readonly bodiesKeptEpochs?: number;
}

function emptyDisks(): Omit<Disks, 'keys' | 'starts'> {
  return {
    votes: { records: [] },
    blocks: { records: [] },
    state: new MemoryStateStore(),
    handovers: new MemoryStore(),
    headers: { records: [] },
    snapshots: new Map(),
  };
}

/** Validators on one virtual time and one network in memory, with real keys and the real ledger. */
export class Cluster {
  readonly fixture: LedgerFixture;
  readonly genesis: Genesis;
  readonly time = new VirtualTime(genesisTime + 1000);
  readonly hub: MemoryHub;
  readonly disks = new Map<string, Disks>();
  readonly boxes = new Map<string, RunningBox>();
  /** Milliseconds by which a box's clock is off. */
  readonly skews = new Map<string, number>();
  readonly logger: Logger;
  readonly bodiesKeptEpochs: number;
  fate: Fate = () => [1];

  constructor(ids: readonly string[] = ['north', 'south', 'east', 'west'], options: ClusterOptions = {}) {
    this.fixture = new LedgerFixture(ids);
    const { parameters } = this.fixture.genesis;
    this.genesis = {
      ...this.fixture.genesis,
      validators: ids.slice(0, options.validators ?? ids.length),
      parameters: { ...parameters, ...options.parameters },
    };
    this.fixture.chain.set(chainId(this.genesis));
    this.logger = options.logger ?? silentLogger;
    this.bodiesKeptEpochs = options.bodiesKeptEpochs ?? 100;
    this.hub = new MemoryHub({
      clock: this.time.clock(),
      schedule: (from, to, step) => {
        for (const ms of this.fate(from, to)) this.time.events.after(ms, step);
      },
    });
    for (const id of ids) {
      const keys = new MemoryVotingKeys(id, this.fixture.box(id).voting);
      this.disks.set(id, { ...emptyDisks(), keys, starts: new MemoryStartCounter() });
    }
  }

  get ids(): string[] {
    return [...this.disks.keys()];
  }

  /** All that a data folder holds is gone; the TPM and the keys are as they were. */
  loseLedger(id: string): void {
    const { keys, starts } = this.disksOf(id);
    this.disks.set(id, { ...emptyDisks(), keys, starts });
  }

  async startAll(): Promise<void> {
    for (const id of this.ids) await this.start(id);
  }

  async start(
    id: string,
    change: {
      readonly withoutVoteLog?: boolean;
      readonly voteLogBytesMax?: number;
      readonly restartOrder?: Uint8Array;
      readonly discardRestartOrder?: () => Promise<void>;
    } = {},
  ): Promise<RunningBox> {
    const disks = this.disksOf(id);
    const life = new AbortController();
    const voteLog = new MemoryAppendLog(disks.votes);
    const blockLog = new MemoryAppendLog(disks.blocks);
    const snapshots = new MemoryLogFolder(disks.snapshots);
    const headers = new MemoryAppendLog(disks.headers);
    const health = new MemoryHealthBoard();
    const final: FinalBlock[] = [];
    const validator = new Validator({
      genesis: this.genesis,
      self: id,
      keys: memberKeysOf(this.fixture.box(id), disks.keys, disks.starts),
      network: this.hub.join(id),
      clock: this.time.clock(this.skews.get(id) ?? 0, life.signal),
      logger: this.logger.child({ box: id }),
      health,
      voteLog: change.withoutVoteLog === true ? undefined : voteLog,
      ...(change.voteLogBytesMax === undefined ? {} : { voteLogBytesMax: change.voteLogBytesMax }),
      restartOrder: change.restartOrder,
      discardRestartOrder: change.discardRestartOrder,
      blockLog,
      state: disks.state,
      handovers: disks.handovers,
      // Small chunks, so that a small state has some.
      archive: { headers, snapshots, bodiesKeptEpochs: this.bodiesKeptEpochs, chunkBytesMax: 8192 },
      verify: verifySignature,
      verifyIdentity,
    });
    validator.onFinal((block) => final.push(block));
    const box = { validator, voteLog, blockLog, snapshots, health, final, life };
    this.boxes.set(id, box);
    try {
      await validator.start();
    } catch (error) {
      this.crash(id);
      throw error;
    }
    return box;
  }

  /** As by kill -9: nothing of it runs any more, its disks stay as they are. */
  crash(id: string): void {
    const box = this.boxes.get(id);
    if (box === undefined) return;
    this.boxes.delete(id);
    this.hub.remove(id);
    box.life.abort();
    box.voteLog.halt();
    box.blockLog.halt();
    box.snapshots.halt();
  }

  /** From now until its next start the box hears only the messages of which this is true. */
  onlyHears(id: string, isHeard: (message: Message, from: string) => boolean): void {
    const network = this.hub.member(id);
    if (network === undefined) throw new Error(`${id} does not run`);
    const arrive = network.arrive.bind(network);
    network.arrive = (from, bytes) => {
      const decoded = decodeMessage(bytes);
      if (decoded.kind === 'message' && !isHeard(decoded.message, from)) return;
      arrive(from, bytes);
    };
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.boxes.values()].map(({ validator }) => validator.stop()));
    this.boxes.clear();
  }

  box(id: string): RunningBox {
    const box = this.boxes.get(id);
    if (box === undefined) throw new Error(`${id} does not run`);
    return box;
  }

  disksOf(id: string): Disks {
    const disks = this.disks.get(id);
    if (disks === undefined) throw new Error(`no box ${id}`);
    return disks;
  }

  heights(): number[] {
    return [...this.boxes.values()].map(({ validator }) => validator.head().height);
  }
}
