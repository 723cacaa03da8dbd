import { AppError } from '../../firmware/src/errors.ts';
import type {
  AppendLog,
  LogFolder,
  PrunableLog,
  ReplaceableLog,
  SizedLog,
} from '../../firmware/src/ports.ts';

/** What is on disk: it outlives the log object, as a file outlives a process. */
export interface MemoryDisk {
  records: Uint8Array[];
  /** Index of the first of them. */
  first?: number;
}

/** The log port in memory. `failAppends` is a full or broken disk. */
export class MemoryAppendLog implements ReplaceableLog, PrunableLog {
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

  get first(): number {
    return this.disk.first ?? 0;
  }

  get length(): number {
    return this.first + this.disk.records.length;
  }

  bytes(): Promise<number> {
    return Promise.resolve(bytesOf(this.disk));
  }

  /** Exactly these, where a log on a disk keeps some of them. */
  dropBefore(index: number): Promise<void> {
    if (this.#halted) return new Promise(() => undefined);
    const dropped = Math.min(Math.max(0, index - this.first), this.disk.records.length);
    const { first } = this;
    this.disk.records = this.disk.records.slice(dropped);
    this.disk.first = first + dropped;
    return Promise.resolve();
  }

  restartAt(index: number): Promise<void> {
    if (this.#halted) return new Promise(() => undefined);
    this.disk.records = [];
    this.disk.first = index;
    return Promise.resolve();
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
    for (let index = this.first; index < this.length; index++) yield await this.at(index);
  }

  at(index: number): Promise<Uint8Array> {
    const record = this.disk.records[index - this.first];
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

function bytesOf({ records }: MemoryDisk): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}

/** A folder of logs in memory; `disks` outlives the process. */
export class MemoryLogFolder implements LogFolder {
  readonly disks: Map<number, MemoryDisk>;
  /** Called before each append to one of its logs; may crash the box of which this is the disk. */
  beforeAppend: () => void = () => undefined;
  readonly #opened: MemoryAppendLog[] = [];

  constructor(disks = new Map<number, MemoryDisk>()) {
    this.disks = disks;
  }

  /** The process is gone. */
  halt(): void {
    for (const log of this.#opened) log.halt();
  }

  numbers(): Promise<readonly number[]> {
    return Promise.resolve([...this.disks.keys()].sort((a, b) => a - b));
  }

  open(number: number): Promise<SizedLog> {
    const disk = this.disks.get(number) ?? { records: [] };
    this.disks.set(number, disk);
    const log = new MemoryAppendLog(disk);
    log.beforeAppend = () => this.beforeAppend();
    this.#opened.push(log);
    return Promise.resolve({
      get length() {
        return log.length;
      },
      get bytes() {
        return bytesOf(disk);
      },
      append: (records) => log.append(records),
      read: () => log.read(),
      at: (index) => log.at(index),
      close: () => log.close(),
    });
  }

  remove(number: number): Promise<void> {
    this.disks.delete(number);
    return Promise.resolve();
  }

  bytes(): Promise<number> {
    return Promise.resolve([...this.disks.values()].reduce((sum, disk) => sum + bytesOf(disk), 0));
  }
}

/** A log of which nothing is ever dropped, as a block log. */
export function unpruned(log: AppendLog): PrunableLog {
  const cannot = (): Promise<never> => Promise.reject(new Error('nothing of this log is dropped'));
  return {
    first: 0,
    get length() {
      return log.length;
    },
    append: (records) => log.append(records),
    read: () => log.read(),
    at: (index) => log.at(index),
    close: () => log.close(),
    bytes: () => Promise.resolve(0),
    dropBefore: cannot,
    restartAt: cannot,
  };
}
