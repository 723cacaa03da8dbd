/**
 * How the recovery code of a new box reaches two custodians of the hospital, each with one half, and nobody else: at a
 * terminal, or as two files on two sticks. Never on an output that a service manager keeps.
 */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryHalves } from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { codeConfirmationsMax } from './limits.ts';
import type { Terminal } from './terminal.ts';
import { isWithin } from './within-folder.ts';

export interface CodeCustody {
  /** Asked before keys are made. @throws AppError KEYS_NOT_MADE if the code would reach nobody, or too many. */
  prepare(): Promise<void>;
  /** Resolves when both halves are with their custodians; only then are the keys kept. @throws AppError KEYS_NOT_MADE. */
  hand(halves: RecoveryHalves): Promise<void>;
}

const numbers = ['first', 'second'] as const;
const digitsOf = (half: string): string => half.replace(/[\s-]/g, '').toLowerCase();

/** Each half is written down, typed from the paper while the screen is clear, and gone before the other one is shown. */
export function terminalCustody(terminal: Terminal): CodeCustody {
  const handOne = async (half: string, which: string): Promise<void> => {
    terminal.clear();
    await terminal.ask(
      `Only the ${which} custodian looks at the screen. Press Enter to see the ${which} half`,
    );
    for (let attempt = 0; attempt < codeConfirmationsMax; attempt++) {
      terminal.tell(`The ${which} half of the recovery code: ${half}`);
      await terminal.ask('Write it down, then press Enter: it is shown no more');
      terminal.clear();
      const typed = await terminal.ask(`Type the ${which} half from the paper`);
      terminal.clear();
      if (digitsOf(typed) === digitsOf(half)) return;
      terminal.tell('That is not what was shown.');
    }
    throw notMade(
      `the ${which} half of the recovery code was not confirmed; what was written down is worthless`,
    );
  };
  return {
    prepare: () => Promise.resolve(),
    hand: async (halves) => {
      for (const [index, which] of numbers.entries()) await handOne(halves[index] as string, which);
    },
  };
}

/** A file of each half in this folder, for its owner alone (mode 0600), which nothing that is there gives way to. */
export function folderCustody({ dataDir, institution }: Config, folder: string): CodeCustody {
  const fileOf = (which: string): string => join(folder, `${institution.id}-${which}-half.txt`);
  const unwritable = (cause: unknown): AppError =>
    notMade(`the recovery code cannot be written to ${folder}`, cause);
  return {
    prepare: async () => {
      if (isWithin(dataDir, folder))
        throw notMade(`the recovery code would lie in the data folder, beside what it opens: ${folder}`);
      try {
        await access(folder, constants.W_OK);
      } catch (cause) {
        throw unwritable(cause);
      }
      for (const which of numbers)
        if (await isThere(fileOf(which))) throw notMade(`${fileOf(which)} is there: it may be in use`);
    },
    hand: async (halves) => {
      try {
        for (const [index, which] of numbers.entries())
          await writeNew(fileOf(which), `${halves[index] as string}\n`);
        await sync(folder);
      } catch (cause) {
        throw unwritable(cause);
      }
    },
  };
}

/**
 * For a start to which no person listens. In development, where the TPM is a folder, keys are made and their code is
 * given to nobody.
 */
export function nobodysCustody({ tpm, dataDir }: Config, logger: Logger): CodeCustody {
  const refuse = (): Promise<never> => {
    const why = `nobody would get the recovery code, and ${dataDir} holds no keys that count`;
    const remedy = 'give first, at a terminal: hilum enrol --config <file>';
    return Promise.reject(notMade(`${why}; ${remedy}`));
  };
  return {
    prepare: () => {
      if (tpm.kind === 'device') return refuse();
      logger.warn({}, 'development: keys are made whose recovery code nobody gets');
      return Promise.resolve();
    },
    hand: () => Promise.resolve(),
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function notMade(why: string, cause?: unknown): AppError {
  return new AppError('KEYS_NOT_MADE', `No keys were made: ${why}.`, { cause });
}
