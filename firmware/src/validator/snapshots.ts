/**
 * Snapshots of the state on this box's disk, one log for each epoch that they end: made here, or fetched from others
 * chunk by chunk. What lies in such a log was proved before it was written, so a fetch goes on where it was, with
 * whichever peer.
 */
import { AppError } from '../errors.ts';
import type { Certificate } from '../consensus/types.ts';
import type { StateAnchor, StateEntry, StateRange } from '../ledger/index.ts';
import { isLastRange, stateAnchor, stateRanges } from '../ledger/index.ts';
import type { LogFolder, SizedLog } from '../ports.ts';
import type { ExecutedBlock } from './final-chain.ts';
import type { FinalRecord } from './final-records.ts';
import { decodeFinalRecord, encodeFinalRecord } from './final-records.ts';
import { snapshotChunkBytesMax, snapshotsKept } from './limits.ts';
import type { SnapshotOffer } from './snapshot-records.ts';
import { decodeRange, encodeRange } from './snapshot-records.ts';
import type { Archive } from './validator.ts';

interface Kept {
  readonly log: SizedLog;
  readonly block: FinalRecord;
  isComplete: boolean;
}

/** A fetch under way: where it stands. */
export interface Fetched {
  readonly block: FinalRecord;
  /** Records that are here, the block included. */
  readonly records: number;
  /** Last entry that is here; undefined before the first chunk. */
  readonly anchor: StateAnchor | undefined;
}

export class Snapshots {
  readonly #logs: LogFolder;
  readonly #chunkBytesMax: number;
  /** By the epoch that they end. */
  readonly #kept = new Map<number, Kept>();

  private constructor(logs: LogFolder, chunkBytesMax: number) {
    this.#logs = logs;
    this.#chunkBytesMax = chunkBytesMax;
  }

  /** What is there of former lives. @throws AppError STORE_CORRUPT, STORE_FAILED. */
  static async open({ snapshots: logs, chunkBytesMax = snapshotChunkBytesMax }: Archive): Promise<Snapshots> {
    const snapshots = new Snapshots(logs, chunkBytesMax);
    for (const epoch of await logs.numbers()) await snapshots.#reopen(epoch);
    return snapshots;
  }

  async close(): Promise<void> {
    for (const { log } of this.#kept.values()) await log.close();
    this.#kept.clear();
  }

  /**
   * True if all boxes might make this chunk: none but the last is short, and none is long. So nobody can deal the state
   * out entry by entry. The longest value is far below half of a chunk.
   */
  isOfSize(range: StateRange): boolean {
    const bytes = range.entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    const isLong = bytes > this.#chunkBytesMax && range.entries.length > 1;
    return !isLong && (isLastRange(range) || 2 * bytes >= this.#chunkBytesMax);
  }

  bytes(): Promise<number> {
    return this.#logs.bytes();
  }

  /** Complete ones, newest first. */
  complete(): SnapshotOffer[] {
    return [...this.#kept]
      .filter(([, { isComplete }]) => isComplete)
      .map(([epoch, { log, block }]) => ({ epoch, height: block.block.header.height, records: log.length }))
      .sort((a, b) => b.epoch - a.epoch);
  }

  /** Of a complete one; undefined if there is none such. */
  async recordAt(epoch: number, record: number): Promise<Uint8Array | undefined> {
    const kept = this.#kept.get(epoch);
    if (kept?.isComplete !== true || record >= kept.log.length) return undefined;
    return new Uint8Array(await kept.log.at(record));
  }

  /** The block and all entries of a complete one. */
  async read(
    epoch: number,
  ): Promise<{ readonly record: FinalRecord; readonly entries: readonly StateEntry[] }> {
    const kept = this.#kept.get(epoch);
    if (kept?.isComplete !== true) throw new Error(`no complete snapshot of epoch ${epoch}`);
    const entries: StateEntry[] = [];
    for (let index = 1; index < kept.log.length; index++)
      for (const entry of (await rangeAt(kept.log, index, epoch)).entries) entries.push(entry);
    return { record: kept.block, entries };
  }

  /**
   * Writes the state after the block that closed an epoch. It does not change under the writer, whatever becomes final
   * meanwhile. @throws AppError STORE_FAILED.
   */
  async make({ block, state }: ExecutedBlock, certificate: Certificate, signal: AbortSignal): Promise<void> {
    const { epoch } = block.header;
    if (this.#kept.get(epoch)?.isComplete === true) return;
    await this.begin(epoch, { block, certificate });
    for (const range of stateRanges(state, this.#chunkBytesMax)) {
      if (signal.aborted) return;
      await this.add(epoch, encodeRange(range), isLastRange(range));
    }
  }

  /** Begins one anew with the block that closed the epoch. */
  async begin(epoch: number, block: FinalRecord): Promise<void> {
    await this.#remove(epoch);
    const log = await this.#logs.open(epoch);
    await log.append([encodeFinalRecord(block)]);
    this.#kept.set(epoch, { log, block, isComplete: false });
  }

  /** Adds the next chunk, which has been proved. */
  async add(epoch: number, chunk: Uint8Array, isLast: boolean): Promise<void> {
    const kept = this.#kept.get(epoch);
    if (kept === undefined || kept.isComplete) throw new Error(`no snapshot of epoch ${epoch} is under way`);
    await kept.log.append([chunk]);
    kept.isComplete = isLast;
  }

  /** The newest that is not complete. */
  async fetched(): Promise<(Fetched & { readonly epoch: number }) | undefined> {
    const [newest] = [...this.#kept].filter(([, { isComplete }]) => !isComplete).sort(([a], [b]) => b - a);
    if (newest === undefined) return undefined;
    const [epoch, { log, block }] = newest;
    const records = log.length;
    const last = records === 1 ? undefined : (await rangeAt(log, records - 1, epoch)).entries.at(-1);
    return { epoch, block, records, anchor: last && stateAnchor(last) };
  }

  /**
   * Keeps the newest complete ones, and the newest to which this box can show others the way: without it those who are
   * new would be left with neither the blocks that were dropped on its account nor a snapshot.
   */
  async removeOld(isHandedOver: (epoch: number) => Promise<boolean>): Promise<void> {
    const complete = this.complete().map(({ epoch }) => epoch);
    const oldest = complete[snapshotsKept - 1];
    if (oldest === undefined) return;
    let shown: number | undefined;
    for (const epoch of complete) if (shown === undefined && (await isHandedOver(epoch))) shown = epoch;
    for (const epoch of [...this.#kept.keys()])
      if (epoch < oldest && epoch !== shown) await this.#remove(epoch);
  }

  async #reopen(epoch: number): Promise<void> {
    const log = await this.#logs.open(epoch);
    if (log.length === 0) {
      await log.close();
      await this.#logs.remove(epoch);
      return;
    }
    const block = decodeBlock(new Uint8Array(await log.at(0)), epoch);
    const isComplete = log.length > 1 && isLastRange(await rangeAt(log, log.length - 1, epoch));
    this.#kept.set(epoch, { log, block, isComplete });
  }

  async #remove(epoch: number): Promise<void> {
    const kept = this.#kept.get(epoch);
    this.#kept.delete(epoch);
    await kept?.log.close();
    await this.#logs.remove(epoch);
  }
}

async function rangeAt(log: SizedLog, index: number, epoch: number) {
  try {
    return decodeRange(new Uint8Array(await log.at(index)));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AppError('STORE_CORRUPT', `snapshot of epoch ${epoch}: record ${index} is no chunk`, { cause });
  }
}

function decodeBlock(bytes: Uint8Array, epoch: number): FinalRecord {
  try {
    return decodeFinalRecord(bytes);
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `snapshot of epoch ${epoch}: its block does not decode`, { cause });
  }
}
