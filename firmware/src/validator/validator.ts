/**
 * This box's part in the consortium's ledger: joins the consensus core with network, clock and disks, and is the
 * `Ledger` of the rest of the box.
 */
import type { Certificate, Evidence } from '../consensus/types.ts';
import type { VerifyIdentity } from '../ledger/index.ts';
import type { Block, Genesis, LedgerState } from '../ledger/types.ts';
import type {
  Clock,
  FinalBlock,
  HealthBoard,
  InstitutionId,
  Ledger,
  LedgerHead,
  KeyValueStore,
  LogFolder,
  Logger,
  MemberKeys,
  Network,
  PrunableLog,
  ReplaceableLog,
  Service,
  Submitted,
  Unsubscribe,
  VerifySignature,
} from '../ports.ts';
import type { CatchingUp } from './catch-up-status.ts';
import { Participant } from './participant.ts';
import type { LastBlock } from './standstill.ts';
import type { StateStore } from './state-store.ts';

export interface ValidatorOptions {
  readonly genesis: Genesis;
  /** This box's institution. One that is not among the validators follows without a vote. */
  readonly self: InstitutionId;
  readonly keys: MemberKeys;
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** Undefined if it was found damaged: the box then follows without a vote until an admin acts. */
  readonly voteLog: ReplaceableLog | undefined;
  /** Bytes after which the vote log is begun anew; `voteLogBytesMax` of limits.ts by default. */
  readonly voteLogBytesMax?: number;
  readonly blockLog: PrunableLog;
  readonly state: StateStore;
  /** Without it all blocks are kept, and no snapshots made or taken. */
  readonly archive?: Archive;
  /** An encoded restart order that the administrator has brought. */
  readonly restartOrder?: Uint8Array | undefined;
  /** Removes what was brought, once it is taken or over. */
  readonly discardRestartOrder?: (() => Promise<void>) | undefined;
  /** Keys that begin with `handover`, and `restart`. */
  readonly handovers: KeyValueStore;
  readonly verify: VerifySignature;
  /** ECDSA P-256 with SHA-256: key 65 bytes, signature 64 bytes r ‖ s. */
  readonly verifyIdentity: VerifyIdentity;
}

/** What lets a box drop old transactions, and others begin without them. */
export interface Archive {
  /** Headers of the blocks whose transactions were dropped. */
  readonly headers: PrunableLog;
  /** One log for each epoch that they end. */
  readonly snapshots: LogFolder;
  /** Keys and values of one chunk of a snapshot that is made here; `snapshotChunkBytesMax` by default. */
  readonly chunkBytesMax?: number;
  /** Epochs before the current one of which the transactions are kept: 2 at least. */
  readonly bodiesKeptEpochs: number;
}

/** Where consensus stands on this box, for the console. */
export interface ConsensusStatus {
  readonly view: number;
  readonly finalView: number;
  readonly isVoting: boolean;
  /** Transactions that wait for a block. */
  readonly waiting: number;
  /** Undefined unless the box is behind. */
  readonly catchingUp: CatchingUp | undefined;
}

/** The logs and the state store stay open when it stops: who opened them closes them. */
export class Validator implements Service, Ledger {
  readonly #options: ValidatorOptions;
  readonly #listeners = new Set<(final: FinalBlock) => void>();
  #participant: Participant | undefined;

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  /**
   * Reads the ledger from disk and takes part from then on.
   * @throws AppError STORE_CORRUPT, STORE_FAILED, GENESIS_INVALID.
   */
  async start(): Promise<void> {
    const onFinal = (final: FinalBlock): void => {
      for (const listener of this.#listeners) listener(final);
    };
    this.#participant = await Participant.open({ ...this.#options, onFinal });
    this.#participant.start();
  }

  /** What is submitted and not final by then rejects with LEDGER_STALE; the ledger can still be read. */
  async stop(): Promise<void> {
    await this.#participant?.stop();
  }

  head(): LedgerHead {
    return this.#started.chain.head;
  }

  state(): LedgerState {
    return this.#started.chain.state;
  }

  async submit(transaction: Uint8Array, signal?: AbortSignal): Promise<Submitted> {
    signal?.throwIfAborted();
    const { clock, logger } = this.#options;
    const begunAt = clock.now();
    const participant = this.#started;
    const outcome = participant.submit(transaction);
    const leave = (): void => participant.leave(transaction);
    const submitted = await (signal === undefined ? outcome : untilAborted(outcome, signal, leave));
    logger.info({ ...submitted, ms: clock.now() - begunAt }, 'submitted transaction settled');
    return submitted;
  }

  onFinal(listener: (final: FinalBlock) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  blocks(fromHeight: number): AsyncIterable<FinalBlock> {
    return this.#started.chain.blocks(fromHeight);
  }

  handover(epoch: number): Promise<Uint8Array | undefined> {
    return this.#started.handover(epoch);
  }

  /** Of block 0 the certificate has no signatures: the genesis file stands for it. */
  evidence(): { readonly block: Block; readonly certificate: Certificate } {
    return this.#started.chain.evidence;
  }

  /** Bytes on the disk, the state in its store left out. */
  bytes(): Promise<number> {
    return this.#started.bytes();
  }

  /** The oldest block of which this box has the transactions. */
  firstBlock(): number {
    return this.#started.chain.first;
  }

  consensus(): ConsensusStatus {
    return this.#started.standing;
  }

  /** From which the ledger could go on by what this box knows, where it stands still. */
  lastBlock(): LastBlock {
    return this.#started.lastBlock;
  }

  /** The count of starts at which the vote log of this box was found to lack votes; undefined if it lacks none. */
  forgottenSince(): number | undefined {
    return this.#started.forgottenSince;
  }

  /** Validators that this box has seen contradict themselves since its start, with the two votes that show it. */
  misbehaviour(): readonly Evidence[] {
    return this.#started.evidence;
  }

  get #started(): Participant {
    if (this.#participant === undefined) throw new Error('the validator has not been started');
    return this.#participant;
  }
}

/** The promise, or the signal's reason if that comes first. What applies stays submitted. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, leave: () => void): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    leave();
    aborted.reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
