/**
 * What a box does once an epoch has ended: it writes a snapshot of the state, and drops the transactions of blocks that
 * are older than it is asked to keep. Their headers stay, with the certificates of those that closed an epoch; the
 * certificates of the others prove nothing that the closing one does not prove through the links of the headers.
 */
import type { Certificate } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import type { Logger, PrunableLog } from '../ports.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import { encodeHeaderRecord } from './final-records.ts';
import { headersAtOnceMax } from './limits.ts';
import type { Snapshots } from './snapshots.ts';

export interface PruningOptions {
  readonly chain: FinalChain;
  readonly blockLog: PrunableLog;
  /** One record a height, as `encodeHeaderRecord` writes it. */
  readonly headers: PrunableLog;
  readonly snapshots: Snapshots;
  /** Epochs before the current one of which the transactions are kept. */
  readonly bodiesKeptEpochs: number;
  /** Whether this box can show others the way to a snapshot at the end of this epoch. */
  readonly isHandedOver: (epoch: number) => Promise<boolean>;
  readonly logger: Logger;
  /** The disk failed. */
  readonly failed: (fault: AppError) => void;
}

interface Closed {
  readonly executed: ExecutedBlock;
  readonly certificate: Certificate;
}

export class Pruning {
  readonly #options: PruningOptions;
  readonly #abort = new AbortController();
  /** The newest epoch's end of which no snapshot was begun. */
  #next: Closed | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PruningOptions) {
    this.#options = options;
  }

  /** Goes on by itself; where epochs end faster than snapshots are written, the newest counts. */
  epochClosed(executed: ExecutedBlock, certificate: Certificate): void {
    this.#next = { executed, certificate };
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        this.#options.failed(error);
      })
      .finally(() => (this.#running = undefined));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { snapshots, isHandedOver, logger } = this.#options;
    const { signal } = this.#abort;
    for (let closed = this.#next; closed !== undefined && !signal.aborted; closed = this.#next) {
      this.#next = undefined;
      await snapshots.make(closed.executed, closed.certificate, signal);
      if (signal.aborted) return;
      await snapshots.removeOld(isHandedOver);
      const { epoch, height } = closed.executed.block.header;
      logger.info({ epoch, height }, 'the state at the end of an epoch is kept');
      await this.#prune(signal);
    }
  }

  /** As far as a snapshot leads others over the gap. */
  async #prune(signal: AbortSignal): Promise<void> {
    const { chain, blockLog, snapshots, bodiesKeptEpochs, isHandedOver, logger } = this.#options;
    const oldest = chain.state.epochOf(chain.state.epoch().number - bodiesKeptEpochs);
    if (oldest === undefined) return;
    let height = 0;
    for (const offer of snapshots.complete())
      if (await isHandedOver(offer.epoch))
        height = Math.max(height, Math.min(oldest.startHeight, offer.height));
    if (height <= blockLog.first) return;
    await this.#keepHeaders(height, signal);
    if (signal.aborted) return;
    const before = blockLog.first;
    await blockLog.dropBefore(height);
    if (blockLog.first > before)
      logger.info({ from: before, to: blockLog.first - 1 }, 'transactions of old blocks are dropped');
  }

  /** Of all blocks below this height. A crash in between is made good the next time. */
  async #keepHeaders(height: number, signal: AbortSignal): Promise<void> {
    const { chain, headers } = this.#options;
    // After a snapshot the headers before it are not here.
    if (headers.length < chain.first) await headers.restartAt(chain.first);
    let next = await chain.finalAt(headers.length);
    while (headers.length < height && !signal.aborted) {
      const records: Uint8Array[] = [];
      const end = Math.min(height, headers.length + headersAtOnceMax);
      for (let at = headers.length; at < end; at++) {
        const { block, certificate } = next;
        next = await chain.finalAt(at + 1);
        const closes = next.block.header.epoch !== block.header.epoch;
        records.push(encodeHeaderRecord({ header: block.header, certificate: closes ? certificate : null }));
      }
      await headers.append(records);
    }
  }
}
