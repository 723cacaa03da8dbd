/**
 * What a box keeps of the ledger besides the newest blocks, and how others get it: snapshots at the ends of epochs,
 * headers of old blocks; and how this box takes a snapshot of others.
 */
import type { Certificate } from '../consensus/types.ts';
import type { AppError } from '../errors.ts';
import type { VerifyIdentity } from '../ledger/index.ts';
import type { Clock, Logger, Network, PrunableLog, Unsubscribe, VerifySignature } from '../ports.ts';
import type { CatchUpPeers } from './catch-up-peers.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import type { Handovers } from './handovers.ts';
import { Pruning } from './pruning.ts';
import { serveSnapshots } from './snapshot-server.ts';
import type { SnapshotProgress } from './snapshot-taker.ts';
import { SnapshotTaker } from './snapshot-taker.ts';
import type { Snapshots } from './snapshots.ts';
import type { Archive } from './validator.ts';

export interface ArchivistOptions {
  readonly archive: Archive;
  readonly snapshots: Snapshots;
  readonly chain: FinalChain;
  readonly blockLog: PrunableLog;
  readonly handovers: Handovers;
  readonly peers: CatchUpPeers;
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  readonly verifyIdentity: VerifyIdentity;
  /** Puts the complete snapshot of this epoch in the place of all blocks. */
  readonly install: (epoch: number) => Promise<void>;
  /** The disk failed. */
  readonly failed: (fault: AppError) => void;
}

export class Archivist {
  readonly #options: ArchivistOptions;
  readonly #taker: SnapshotTaker;
  readonly #pruning: Pruning;

  constructor(options: ArchivistOptions) {
    this.#options = options;
    this.#taker = new SnapshotTaker(options);
    const isHandedOver = (epoch: number): Promise<boolean> => this.#isHandedOver(epoch);
    this.#pruning = new Pruning({
      ...options,
      ...options.archive,
      snapshots: options.snapshots,
      isHandedOver,
    });
  }

  /**
   * Serves what is here to others: of the snapshots those to which handovers lead from the genesis document on. Past an
   * epoch of which there is none, others come by blocks alone.
   */
  start(): Unsubscribe {
    const { network, snapshots } = this.#options;
    return serveSnapshots(network, snapshots, (epoch) => this.#isHandedOver(epoch));
  }

  async stop(): Promise<void> {
    await this.#pruning.stop();
    await this.#options.snapshots.close();
  }

  epochClosed(executed: ExecutedBlock, certificate: Certificate): void {
    this.#pruning.epochClosed(executed, certificate);
  }

  /** As `SnapshotTaker.take`. */
  take(signal: AbortSignal): Promise<boolean> {
    return this.#taker.take(signal);
  }

  get progress(): SnapshotProgress | undefined {
    return this.#taker.progress;
  }

  /** Of snapshots and old headers. */
  async bytes(): Promise<number> {
    const { archive, snapshots } = this.#options;
    return (await archive.headers.bytes()) + (await snapshots.bytes());
  }

  #isHandedOver(epoch: number): Promise<boolean> {
    return this.#options.handovers.way.leadsTo(epoch);
  }
}
