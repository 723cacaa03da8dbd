/**
 * Where the ledger of a simulated box lies: one log of all blocks, or blocks in pieces of which the oldest are dropped,
 * with the headers and the snapshots that stand for them.
 */
import type { PrunableLog } from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { FileLogFolder } from '../../firmware/src/store/file-log-folder.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import { SegmentedLog } from '../../firmware/src/store/segmented-log.ts';
import type { Archive } from '../../firmware/src/validator/validator.ts';
import { unpruned } from '../fakes/append-log.ts';
import type { BlockEvents } from './block-events.ts';
import { LogWatch } from './log-watch.ts';
import { PrunedLogWatch } from './pruned-log-watch.ts';

/** The log of a box that keeps all blocks. */
export const blockLogPath = '/blocks.log';

/** Space of the log of all blocks. */
const allocationBytes = 16384;

/** Space of a piece: there are many. */
const pieceAllocationBytes = 2048;

/** One block or two: an epoch of the simulation has a few. */
const pieceBytesMax = 1024;

/** More than twice the longest value of a small consortium, so that its state has several chunks. */
const chunkBytesMax = 4096;

/** The least that a box may keep. */
const bodiesKeptEpochs = 2;

export interface OpenedLedger {
  readonly blockLog: PrunableLog;
  readonly archive: Archive | undefined;
  /** Acknowledged blocks that are not there any more. */
  readonly lost: number;
}

export class SimLedgerDisks {
  readonly #areBlocksDropped: boolean;
  readonly #all = new LogWatch();
  readonly #pieces = new PrunedLogWatch();
  #headers: PrunableLog | undefined;

  constructor(areBlocksDropped: boolean) {
    this.#areBlocksDropped = areBlocksDropped;
  }

  /** The records of blocks that the disk holds, as far as they were acknowledged. */
  get held(): readonly Uint8Array[] {
    return this.#areBlocksDropped ? this.#pieces.held : this.#all.held;
  }

  /** Of blocks whose transactions were dropped. */
  get headers(): PrunableLog | undefined {
    return this.#headers;
  }

  /** @throws AppError STORE_CORRUPT, STORE_FAILED. */
  async open(files: FileSystem, events: BlockEvents): Promise<OpenedLedger> {
    if (this.#areBlocksDropped) return await this.#openPieces(files, events);
    const options = { domain: 'blocks', damageCode: 'STORE_CORRUPT', allocationBytes, files } as const;
    const blockLog = await FileAppendLog.open(blockLogPath, options);
    const lost = await this.#all.reopened(blockLog);
    return { blockLog: unpruned(this.#all.watched(blockLog, events)), archive: undefined, lost };
  }

  async #openPieces(files: FileSystem, events: BlockEvents): Promise<OpenedLedger> {
    const folder = (name: string): Promise<FileLogFolder> =>
      FileLogFolder.open(`/${name}`, {
        domain: name,
        damageCode: 'STORE_CORRUPT',
        allocationBytes: pieceAllocationBytes,
        files,
      });
    const blockLog = await SegmentedLog.open(await folder('blocks'), pieceBytesMax);
    const lost = await this.#pieces.reopened(blockLog);
    const headers = await SegmentedLog.open(await folder('headers'), pieceBytesMax);
    this.#headers = headers;
    const archive = { headers, snapshots: await folder('snapshots'), chunkBytesMax, bodiesKeptEpochs };
    return { blockLog: this.#pieces.watched(blockLog, events), archive, lost };
  }
}
