/** The command-line wallet: the same wallet as a browser's, its keys in a file of its owner's. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { Refusal } from '../../firmware/wallet/wallet-answers.ts';
import { Wallet, type WalletModules } from '../../firmware/wallet/wallet.ts';
import { FileStore } from './file-store.ts';
import { HttpsTransport } from './https-transport.ts';
import { describeHistory, describeRefusal, describeStudies } from './reports.ts';
import { formatTime } from './text-tables.ts';

/** The parts of a wallet on this platform. */
export function walletModules(file: string): WalletModules {
  return {
    store: new FileStore(file),
    transport: new HttpsTransport(),
    clock: { now: () => Date.now(), sleep: (ms) => sleep(ms) },
  };
}

interface CommonOptions {
  readonly file: string;
  readonly json?: true;
}

interface GrantOptions {
  readonly to: string;
  readonly days: number;
  readonly purpose: string;
  readonly person?: string;
  readonly maxOpens?: number;
  readonly amendments: boolean;
}

/** Where the answer goes, so that it can be read by whoever runs the wallet inside a program. */
export interface WalletOutput {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
}

const terminal: WalletOutput = {
  out: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
};

const done = 0;
const notDone = 1;

function wholeNumber(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('A whole number is expected.');
  return Number(value);
}

/** Bytes as hexadecimal, faults as code and message. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (item instanceof Uint8Array) return toHex(item);
    if (item instanceof AppError) return { code: item.code, message: item.message };
    return item;
  });
}

/** Runs one command. `args` as after the program's name. Resolves with the exit status: 0 done, 1 not done. */
export async function runWallet(args: readonly string[], output: WalletOutput = terminal): Promise<number> {
  let status = done;
  const program = new Command('wallet')
    .description('Your studies at the hospitals of the consortium, and who may have them.')
    .option('--file <path>', 'the file that holds your keys', join(homedir(), '.hilum-wallet'))
    .option('--json', 'one JSON object instead of words')
    .exitOverride()
    .configureOutput({
      writeOut: (words) => output.out(words.trimEnd()),
      writeErr: (words) => output.error(words.trimEnd()),
    });

  const common = () => program.opts<CommonOptions>();
  const open = () => Wallet.open(walletModules(common().file));
  const answer = (value: unknown, words: string) => output.out(common().json ? toJson(value) : words);
  const refuse = (refusal: Refusal) => {
    status = notDone;
    if (common().json) output.out(toJson(refusal));
    else output.error(describeRefusal(refusal));
  };

  program
    .command('new')
    .description('make a new wallet')
    .action(async () => {
      const { file } = common();
      await Wallet.create(walletModules(file));
      answer({ kind: 'created', file }, `New wallet in ${file}. Keep a copy: it cannot be made again.`);
    });

  program
    .command('bind')
    .description("answer a reception's ticket, so that the hospital knows your wallet")
    .argument('<ticket>', 'the text of the QR code, or - to read it from the standard input')
    .action(async (ticket: string) => {
      const result = await (await open()).bind(ticket === '-' ? await text(process.stdin) : ticket);
      if (result.kind === 'refused') refuse(result);
      else answer(result, `Bound at ${result.institution}.`);
    });

  program
    .command('studies')
    .description('list your studies, each compared with the ledger')
    .action(async () => {
      const studies = await (await open()).studies();
      if (studies.unread.length > 0) status = notDone;
      answer(studies, describeStudies(studies));
    });

  program
    .command('grant')
    .description('let an institution have a study for some days')
    .argument('<study>', 'its id, at least 8 digits of it, or its Study Instance UID')
    .requiredOption('--to <institution>', 'who may have it')
    .requiredOption('--purpose <words>', 'what for; nobody but the two hospitals can read it')
    .option('--days <number>', 'for how long', wholeNumber, 7)
    .option('--person <name>', 'whom you mean there')
    .option('--max-opens <number>', 'how often it may be fetched', wholeNumber)
    .option('--no-amendments', 'only what the study holds now')
    .action(async (study: string, { to, ...options }: GrantOptions) => {
      const result = await (await open()).grant({ study, grantee: to, ...options });
      if (result.kind === 'refused') refuse(result);
      else answer(result, `Granted to ${result.grantee} until ${formatTime(result.expiry)}.`);
    });

  program
    .command('revoke')
    .description('take back one grant of a study, or all')
    .argument('<study>', 'as for grant')
    .argument('[grant]', 'id of the one grant, or at least 8 digits of it')
    .action(async (study: string, grant: string | undefined) => {
      const result = await (await open()).revoke({ study, ...(grant === undefined ? {} : { grant }) });
      if (result.kind === 'refused') refuse(result);
      else answer(result, grant === undefined ? 'All grants of the study are revoked.' : 'Revoked.');
    });

  program
    .command('history')
    .description('show who was granted and sent a study, complete by proof')
    .argument('<study>', 'as for grant')
    .action(async (study: string) => {
      const result = await (await open()).history(study);
      if ('kind' in result) refuse(result);
      else answer(result, describeHistory(result));
    });

  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (cause) {
    status = explain(cause, common().json === true, output);
  }
  return status;
}

/** Faults of box and disk in one line; usage was explained by commander already. @throws anything else: a bug. */
function explain(cause: unknown, json: boolean, output: WalletOutput): number {
  if (cause instanceof AppError) {
    if (json) output.out(toJson({ kind: 'failed', code: cause.code, message: cause.message }));
    else output.error(cause.line);
    return notDone;
  }
  if (isUsageExit(cause)) return cause.exitCode;
  throw cause;
}

function isUsageExit(cause: unknown): cause is { readonly exitCode: number } {
  return cause instanceof Error && 'exitCode' in cause && typeof cause.exitCode === 'number';
}

if (import.meta.main) process.exitCode = await runWallet(process.argv.slice(2));
