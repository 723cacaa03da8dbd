import { AppError } from '../../firmware/src/errors.ts';
import type { ReplaceableLog } from '../../firmware/src/ports.ts';

/** What is on disk: it outlives the log object, as a file outlives a process. */
export interface MemoryDisk {
  records: Uint8Array[];
}

/** The log port in memory. `failAppends` is a full or broken disk. */
export class MemoryAppendLog implements ReplaceableLog {
  readonly disk: MemoryDisk;
  failAppends = false;
  /** Called before each append; may crash the box of which this is the disk. */
  beforeAppend: () => void = () => undefined;
  /** Called when it is on disk and not yet acknowledged; may crash the box too. */
  afterAppend: () => void = () => undefined;
  #halted = false;
  #failure: AppError | undefined;

  constructor(disk: MemoryDisk = { records: [] }) {
    this.disk = disk;
  }

  get length(): number {
    return this.disk.records.length;
  }

  /** The process is gone: what it writes goes nowhere, and it hears nothing more. */
  halt(): void {
    this.#halted = true;
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    if (!this.#halted) this.beforeAppend();
    if (this.#halted) return new Promise(() => undefined);
    if (this.failAppends) this.#failure ??= new AppError('STORE_FAILED', 'memory log cannot be written');
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.disk.records.push(...records.map((record) => record.slice()));
    this.afterAppend();
    return this.#halted ? new Promise(() => undefined) : Promise.resolve();
  }

  async *read(): AsyncIterable<Uint8Array> {
    for (let index = 0; index < this.length; index++) yield await this.at(index);
  }

  at(index: number): Promise<Uint8Array> {
    const record = this.disk.records[index];
    return record === undefined
      ? Promise.reject(new RangeError(`no record ${index}`))
      : Promise.resolve(record.slice());
  }

  replace(records: readonly Uint8Array[]): Promise<void> {
    if (this.#halted) return new Promise(() => undefined);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.disk.records = records.map((record) => record.slice());
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#failure ??= new AppError('STORE_FAILED', 'memory log is closed');
    return Promise.resolve();
  }
}
