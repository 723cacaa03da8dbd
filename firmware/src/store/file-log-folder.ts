/** A folder of append logs, `<number>.log` each, the number in twelve digits. */
import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import type { LogFolder, SizedLog } from '../ports.ts';
import { FileAppendLog, type AppendLogOptions, type TornTail } from './append-log.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';

const nameDigits = 12;
const logName = new RegExp(`^([0-9]{${nameDigits}})\\.log$`);

export interface FileLogFolderOptions extends Omit<AppendLogOptions, 'keepsSpare'> {
  /** A log whose unfinished last frame was cut off when it was opened. */
  readonly torn?: (number: number, tail: TornTail) => void;
}

export class FileLogFolder implements LogFolder {
  readonly #folder: string;
  readonly #options: FileLogFolderOptions;
  readonly #files: FileSystem;

  private constructor(folder: string, options: FileLogFolderOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#files = options.files ?? nodeFileSystem;
  }

  /** Makes the folder if it is not there, and removes what a crash left of a log that was being begun. */
  static async open(folder: string, options: FileLogFolderOptions): Promise<FileLogFolder> {
    const logs = new FileLogFolder(folder, options);
    await logs.#attempt(async (files) => {
      await files.makeFolder(folder);
      await files.syncFolder(dirname(folder));
      const names = await files.list(folder);
      for (const name of names.filter((each) => !logName.test(each))) await files.remove(join(folder, name));
    });
    return logs;
  }

  async numbers(): Promise<readonly number[]> {
    const names = await this.#attempt((files) => files.list(this.#folder));
    return names
      .flatMap((name) => logName.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  async open(number: number): Promise<SizedLog> {
    const log = await FileAppendLog.open(this.#pathOf(number), this.#options);
    if (log.torn !== undefined) this.#options.torn?.(number, log.torn);
    return log;
  }

  remove(number: number): Promise<void> {
    return this.#attempt(async (files) => {
      await files.remove(this.#pathOf(number));
      await files.syncFolder(this.#folder);
    });
  }

  async bytes(): Promise<number> {
    let bytes = 0;
    for (const number of await this.numbers()) bytes += await this.#sizeOf(this.#pathOf(number));
    return bytes;
  }

  #sizeOf(path: string): Promise<number> {
    return this.#attempt(async (files) => {
      const file = await files.open(path, 'r');
      try {
        return await file.size();
      } finally {
        await file.close();
      }
    });
  }

  #pathOf(number: number): string {
    return join(this.#folder, `${String(number).padStart(nameDigits, '0')}.log`);
  }

  async #attempt<Result>(request: (files: FileSystem) => Promise<Result>): Promise<Result> {
    try {
      return await request(this.#files);
    } catch (cause) {
      throw new AppError('STORE_FAILED', `${this.#folder} cannot be read or written`, { cause });
    }
  }
}
