/** A folder of append logs, `<number>.log` each, the number in twelve digits. */
import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import type { LogFolder, SizedLog } from '../ports.ts';
import { FileAppendLog, type AppendLogOptions } from './append-log.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';

const nameDigits = 12;
const logName = new RegExp(`^([0-9]{${nameDigits}})\\.log$`);

export class FileLogFolder implements LogFolder {
  readonly #folder: string;
  readonly #options: Omit<AppendLogOptions, 'keepsSpare'>;
  readonly #files: FileSystem;

  private constructor(folder: string, options: Omit<AppendLogOptions, 'keepsSpare'>) {
    this.#folder = folder;
    this.#options = options;
    this.#files = options.files ?? nodeFileSystem;
  }

  /** Makes the folder if it is not there, and removes what a crash left of a log that was being begun. */
  static async open(folder: string, options: Omit<AppendLogOptions, 'keepsSpare'>): Promise<FileLogFolder> {
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

  open(number: number): Promise<SizedLog> {
    return FileAppendLog.open(this.#pathOf(number), this.#options);
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
