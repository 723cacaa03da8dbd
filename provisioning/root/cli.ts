/**
 * Offline keys of a hospital: makes them, and signs with them the replacement of a dead box. Runs on a machine that is in
 * no network; files travel on a stick (docs/runbooks/replace-a-box.md).
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { parseInstitution } from '../../firmware/src/ledger/index.ts';
import type { KeyQuorum } from '../../firmware/src/ledger/types.ts';
import {
  combined,
  formatDocument,
  parseDocument,
  readRoot,
  replacement,
  signed,
  transactionOf,
  type OfflineDocument,
} from './document.ts';
import { digest, indexes, wholeNumber } from './arguments.ts';
import { readText, writeNew } from './files.ts';
import { makeKeyFile, openKeyFile } from './key-file.ts';
import { documentDaysDefault, passphraseCharactersMin } from './limits.ts';
import { addRestartCommands } from './restart-commands.ts';
import type { RootTerminal } from './terminal.ts';

const dayMs = 86_400_000;

async function newPassphrase({ askSecret }: RootTerminal): Promise<string> {
  const passphrase = await askSecret('Passphrase for this key: ');
  if (passphrase.length < passphraseCharactersMin) {
    throw new AppError(
      'OFFLINE_KEY_UNREADABLE',
      `The passphrase is shorter than ${passphraseCharactersMin} characters: take some words.`,
    );
  }
  if ((await askSecret('Once more: ')) !== passphrase)
    throw new AppError('OFFLINE_KEY_UNREADABLE', 'These are two different passphrases.');
  return passphrase;
}

async function rootFrom(path: string): Promise<KeyQuorum> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('DOCUMENT_INVALID', `${path} is not JSON.`, { cause });
  }
  const root = readRoot(value);
  if (root === undefined) throw new AppError('DOCUMENT_INVALID', `${path} is no root.`);
  return root;
}

/** What somebody who signs must know. */
function describe({ body, signatures, root }: OfflineDocument): string[] {
  return [
    `Replaces the box of ${body.institution}; its record on the ledger is then number ${body.version}.`,
    `Identity key of the new box (SHA-256): ${toHex(sha256(body.keys.identity))}`,
    `Its account (SHA-256): ${toHex(sha256(body.account.spend))}`,
    `Reached at: ${body.endpoints.https}, ${body.endpoints.plane}, ${body.endpoints.p2p}`,
    `Offline root from then on: ${body.root.threshold} of ${body.root.keys.map(toHex).join(', ')}`,
    `For the ledger ${toHex(body.chain)}, until ${new Date(body.validUntil).toISOString().slice(0, 10)}.`,
    ...body.signers.map((index, place) => {
      const key = toHex(root.keys[index] ?? new Uint8Array());
      return `Signer ${index}, ${key}: ${signatures[place] === undefined ? 'has not signed' : 'has signed'}`;
    }),
  ];
}

interface ReplaceOptions {
  readonly record: string;
  readonly chain: Uint8Array;
  readonly version: number;
  readonly signers: readonly number[];
  readonly root?: string;
  readonly days: number;
  readonly out: string;
}

/** The exit status: 0 if it was done. */
export async function runRoot(args: readonly string[], terminal: RootTerminal): Promise<number> {
  const program = new Command('hilum-root')
    .description('Offline keys of a hospital. Use it on a machine that is in no network.')
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.error })
    .exitOverride();

  program
    .command('key')
    .description('make the key of one custodian')
    .requiredOption('--out <file>', 'where it is kept, encrypted')
    .action(async ({ out }: { readonly out: string }) => {
      const { text, publicKey } = makeKeyFile(await newPassphrase(terminal));
      await writeNew(out, text);
      terminal.out(`Public key, for institution.root.keys of the configuration: ${toHex(publicKey)}`);
    });

  program
    .command('replace')
    .description('write the document that puts a new box in the place of a dead one')
    .requiredOption('--record <file>', 'enrolment.json of the new box')
    .requiredOption('--chain <digest>', 'of the ledger, as any member’s console shows it', digest)
    .requiredOption('--version <number>', 'of the record now, as any member’s console shows it', wholeNumber)
    .requiredOption('--signers <indexes>', 'who will sign: 0,2 are the first and third root key', indexes)
    .option('--root <file>', 'the root that the ledger has now, if the record brings another one')
    .option('--days <number>', 'how long it may be brought to the ledger', wholeNumber, documentDaysDefault)
    .requiredOption('--out <file>', 'the document')
    .action(async (options: ReplaceOptions) => {
      const read = parseInstitution(await readText(options.record));
      if (read.kind === 'refused')
        throw new AppError('DOCUMENT_INVALID', `${options.record} is no record: ${read.reason}.`);
      const record = read.institution;
      const root = options.root === undefined ? record.root : await rootFrom(options.root);
      const validUntil = terminal.now() + options.days * dayMs;
      const document = replacement({ ...options, record, root, validUntil });
      await writeNew(options.out, formatDocument(document));
      for (const line of describe(document)) terminal.out(line);
    });

  program
    .command('show')
    .description('say what a document does, and who has signed it')
    .argument('<document>', 'its file')
    .action(async (path: string) => {
      for (const line of describe(parseDocument(await readText(path)))) terminal.out(line);
    });

  program
    .command('sign')
    .description('sign a document with the key of one custodian')
    .argument('<document>', 'its file')
    .requiredOption('--key <file>', 'of the custodian')
    .requiredOption('--out <file>', 'the signed document')
    .action(async (path: string, { key, out }: { readonly key: string; readonly out: string }) => {
      const document = parseDocument(await readText(path));
      for (const line of describe(document)) terminal.out(line);
      const { institution } = document.body;
      if ((await terminal.ask(`Type ${institution} to sign this: `)).trim() !== institution)
        throw new AppError('DOCUMENT_INVALID', 'Nothing was signed.');
      const text = await readText(key);
      const opened = openKeyFile(text, await terminal.askSecret('Passphrase: '));
      await writeNew(out, formatDocument(signed(document, opened)));
      terminal.out(`Signed with ${toHex(opened.publicKey)}.`);
    });

  program
    .command('combine')
    .description('put the signatures of several copies together, for the console of any member')
    .argument('<documents...>', 'their files')
    .requiredOption('--out <file>', 'what is brought to the ledger')
    .action(async (paths: readonly string[], { out }: { readonly out: string }) => {
      const documents: OfflineDocument[] = [];
      for (const path of paths) documents.push(parseDocument(await readText(path)));
      await writeNew(out, `${toHex(transactionOf(combined(documents)))}\n`);
      terminal.out(`Complete. On the page Consortium of any member, bring the text of ${out} to the ledger.`);
    });

  addRestartCommands(program, terminal);

  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (cause) {
    if (cause instanceof AppError) {
      terminal.error(cause.line);
      return 1;
    }
    if (cause instanceof Error && 'exitCode' in cause && typeof cause.exitCode === 'number')
      return cause.exitCode;
    throw cause;
  }
}

async function asked(question: string, isSecret: boolean): Promise<string> {
  process.stdout.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = isSecret ? silent : process.stdout;
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    if (isSecret) process.stdout.write('\n');
  }
}

if (import.meta.main) {
  process.exitCode = await runRoot(process.argv.slice(2), {
    out: (line) => process.stdout.write(`${line.trimEnd()}\n`),
    error: (line) => process.stderr.write(`${line.trimEnd()}\n`),
    askSecret: (question) => asked(question, true),
    ask: (question) => asked(question, false),
    now: () => Date.now(),
  });
}
