/** One whole box of the simulation: the real validator on a real log, on a seeded disk, with a clock of its own. */
import { AppError } from '../../firmware/src/errors.ts';
import type { Block, Genesis } from '../../firmware/src/ledger/types.ts';
import type { KeyValueStore, Network, VotingKeys } from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import type { StateStore } from '../../firmware/src/validator/state-store.ts';
import { handoverKey } from '../../firmware/src/validator/handovers.ts';
import { decodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { Validator } from '../../firmware/src/validator/validator.ts';
import { encodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { verifyIdentity } from '../fakes/ledger.ts';
import { memberKeysOf } from '../fakes/member-keys.ts';
import type { MemoryHub } from '../fakes/network.ts';
import { MemoryStateStore } from '../fakes/state-store.ts';
import type { VirtualTime } from '../fakes/virtual-clock.ts';
import { MemoryStartCounter, MemoryVotingKeys } from '../fakes/voting-keys.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { lifeline, type Lifeline } from './lifeline.ts';
import { LogWatch } from './log-watch.ts';
import type { Random } from './random.ts';
import { institutionOf, seatOf } from './seat.ts';
import { SimDisk, type DiskFault } from './sim-disk.ts';
import { blockLogPath, SimLedgerDisks, type OpenedLedger } from './sim-ledger-disks.ts';
import type { SimFixture, Signatures } from './sim-fixture.ts';

export interface NodeOptions {
  readonly name: string;
  readonly random: Random;
  readonly time: VirtualTime;
  readonly hub: MemoryHub;
  readonly fixture: SimFixture;
  readonly genesis: Genesis;
  readonly signatures: Signatures;
  /** Of the vote log; a small one is begun anew often. */
  readonly voteLogBytesMax: number;
  /** It drops old transactions and keeps snapshots; otherwise it keeps all blocks. */
  readonly areBlocksDropped: boolean;
  /** Puts an actor between the validator and the network. */
  readonly disguise: (network: Network) => Network;
  /** Asked before and after each effect on disk or network: the node may be crashed here. */
  readonly aboutTo: (node: SimNode) => void;
  /**
   * Blocks of which one closes its epoch are on its disk, and the node has done nothing about it: it may be crashed here.
   */
  readonly closes: (node: SimNode, blocks: readonly Block[]) => void;
  /** It is about to drop the transactions of blocks below this height. */
  readonly drops: (node: SimNode, height: number) => void;
  /** A message is about to leave. */
  readonly sends: (node: SimNode, message: Uint8Array) => void;
}

/** `broken`: it does not start, since its block log is damaged. */
export type NodeStatus = 'off' | 'starting' | 'running' | 'broken';

/** What a bad disk does to a log at a power cut. */
export interface LogFault {
  readonly kind: DiskFault['kind'];
  readonly log: keyof typeof paths;
}

/** How a start ended. One that is crashed meanwhile does not end. */
export type StartOutcome = 'begun' | 'disk-failed' | 'damaged';

/** Space of the vote log on the disk. */
const allocationBytes = 16384;
const voteLogOptions = {
  domain: 'votes',
  damageCode: 'VOTE_LOG_CORRUPT',
  allocationBytes,
  keepsSpare: true,
} as const;
const paths = { votes: '/votes.log', blocks: blockLogPath };

export class SimNode {
  readonly name: string;
  readonly institution: string;
  readonly disk: SimDisk;
  readonly votes = new LogWatch();
  readonly ledger: SimLedgerDisks;
  readonly #options: NodeOptions;
  readonly #votingKeys: VotingKeys;
  readonly #handovers = new MemoryStore();
  readonly #starts = new MemoryStartCounter();
  #state = new MemoryStateStore();
  #life = new AbortController();
  #validator: Validator | undefined;
  status: NodeStatus = 'off';
  /** Milliseconds by which its clock is off. */
  skewMs = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.institution = institutionOf(options.name);
    this.ledger = new SimLedgerDisks(options.areBlocksDropped);
    this.disk = new SimDisk({ random: options.random, events: options.time.events });
    const keys = new MemoryVotingKeys(this.institution, options.fixture.box(this.institution).voting);
    this.#votingKeys = signingAs(options.signatures, keys);
  }

  /** Undefined unless it runs. */
  get validator(): Validator | undefined {
    return this.status === 'running' ? this.#validator : undefined;
  }

  /**
   * Starts the process. `begun` is called once it takes part, with the number of acknowledged records that its logs
   * lack; never if it is crashed before.
   */
  async start(
    begun: (validator: Validator, lost: { readonly votes: number; readonly blocks: number }) => void,
  ): Promise<StartOutcome> {
    const { time, hub, fixture, genesis, signatures } = this.#options;
    const life = new AbortController();
    const never = new Promise<never>(() => undefined);
    this.#life = life;
    this.status = 'starting';
    const aboutTo = (): void => this.#options.aboutTo(this);
    const files = this.disk.filesFor(life.signal, aboutTo);
    let ledger: OpenedLedger;
    let voteLog: FileAppendLog;
    try {
      voteLog = await this.#openVoteLog(files);
      ledger = await this.ledger.open(files, {
        written: (records) => this.#written(records, life.signal),
        drops: (height) => this.#options.drops(this, height),
      });
    } catch (error) {
      return this.#failed(error);
    }
    const { blockLog, archive } = ledger;
    const lost = { votes: await this.votes.reopened(voteLog), blocks: ledger.lost };
    const stores =
      archive === undefined
        ? { state: this.#state, handovers: this.#handovers }
        : {
            archive,
            state: stateOver(this.#state, lifeline(life.signal, aboutTo)),
            handovers: storeOver(this.#handovers, lifeline(life.signal, aboutTo)),
          };
    if (life.signal.aborted) return await never;
    const validator = new Validator({
      genesis,
      self: this.institution,
      keys: memberKeysOf(fixture.box(this.institution), this.#votingKeys, this.#starts),
      network: this.#options.disguise(this.#watched(seatOf(hub.join(this.name)), life.signal)),
      clock: this.#clock(time, life.signal),
      logger: silentLogger,
      health: new MemoryHealthBoard(),
      voteLog: this.votes.watched(voteLog),
      voteLogBytesMax: this.#options.voteLogBytesMax,
      blockLog,
      ...stores,
      verify: signatures.verify,
      verifyIdentity,
    });
    this.#validator = validator;
    try {
      await validator.start();
    } catch (error) {
      return this.#failed(error);
    }
    // It may have been crashed in between without noticing: nothing more was asked of the disk.
    if (life.signal.aborted) return await never;
    this.status = 'running';
    begun(validator, lost);
    return 'begun';
  }

  /** Whether it has the signatures with which this epoch was handed over. */
  hasHandover(epoch: number): boolean {
    return this.#handovers.values.has(handoverKey(epoch));
  }

  /** As by kill -9: the operating system goes on, and with it what was written. */
  kill(): void {
    this.#life.abort();
    this.#options.hub.remove(this.name);
    this.#validator = undefined;
    if (this.status !== 'broken') this.status = 'off';
  }

  /** As `kill`; then the disk forgets what it may, or more if it is a bad one. True if the fault found its place. */
  cutPower(fault?: LogFault): boolean {
    this.kill();
    // Rebuildable: LevelDB may lose it whole, never a part.
    if (this.#options.random.chance(0.2)) this.#state = new MemoryStateStore();
    return this.disk.cutPower(fault && { kind: fault.kind, path: paths[fault.log] });
  }

  /** False if that was the end of this life. */
  #written(records: readonly Uint8Array[], life: AbortSignal): boolean {
    const state = this.validator?.state();
    const blocks = records.map((record) => decodeKeptRecord(record).block);
    if (blocks.some(({ header }) => state?.closesEpoch(header) === true)) this.#options.closes(this, blocks);
    return !life.aborted;
  }

  #clock(time: VirtualTime, life: AbortSignal) {
    return { ...time.clock(0, life), now: () => time.now + this.skewMs };
  }

  #watched(network: Network, life: AbortSignal): Network {
    return {
      ...network,
      send: (to, message) => {
        if (!life.aborted) this.#options.aboutTo(this);
        if (life.aborted) return;
        this.#options.sends(this, message);
        network.send(to, message);
      },
    };
  }

  /** As the box does it: a damaged one is put aside, and the new one says that something is missing. */
  async #openVoteLog(files: ReturnType<SimDisk['filesFor']>): Promise<FileAppendLog> {
    const options = { ...voteLogOptions, files };
    try {
      return await FileAppendLog.open(paths.votes, options);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'VOTE_LOG_CORRUPT')) throw error;
      this.votes.forget();
      return await FileAppendLog.beginAnew(paths.votes, options, [encodeVoteRecord({ type: 'gap' })]);
    }
  }

  /** A box whose disk cannot be used does not start. Any other error is a bug. */
  #failed(error: unknown): StartOutcome {
    if (!(error instanceof AppError)) throw error;
    this.kill();
    if (error.code === 'STORE_FAILED') return 'disk-failed';
    if (error.code !== 'STORE_CORRUPT') throw error;
    this.status = 'broken';
    return 'damaged';
  }
}

/** The box may be crashed before and after each request; what it asks for later goes nowhere. */
function stateOver(store: StateStore, alive: Lifeline): StateStore {
  return {
    load: () => alive(() => store.load()),
    save: (height, digest, changes) => alive(() => store.save(height, digest, changes)),
    reset: (height, digest, entries) => alive(() => store.reset(height, digest, entries)),
  };
}

/** The same for the handovers. */
function storeOver(store: KeyValueStore, alive: Lifeline): KeyValueStore {
  return {
    get: (key) => alive(() => store.get(key)),
    list: (prefix) => store.list(prefix),
    write: (changes) => alive(() => store.write(changes)),
  };
}

/** The same keys, and signatures of the simulated kind. */
function signingAs({ signerOf }: Signatures, keys: VotingKeys): VotingKeys {
  return {
    held: () => keys.held(),
    signer: (publicKey) => {
      const signer = keys.signer(publicKey);
      return signer && signerOf(signer);
    },
    make: () => keys.make(),
    keepOnly: (publicKeys) => keys.keepOnly(publicKeys),
  };
}
