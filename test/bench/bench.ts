/** `npm run bench -- NAME`: measures, prints a table and, as its last line, one line of JSON. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { benchHostile } from './hostile/hostile.ts';
import { benchIngest, type IngestOptions } from './ingest/ingest.ts';
import { insideOwnNetwork } from './ingest/modality-link.ts';
import { benchLedger, ledgerCases, type LedgerBenchOptions } from './ledger/ledger.ts';
import { benchMainJob } from './main-job.ts';
import { benchTpm, type TpmBenchOptions } from './tpm/tpm.ts';

/** What a benchmark found: rows for people, figures for machines. */
export interface BenchResult {
  readonly rows: readonly (readonly [what: string, figure: string])[];
  readonly json: { readonly bench: string; readonly [figure: string]: number | string | null };
}

function print({ rows, json }: BenchResult): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, figure] of rows) process.stdout.write(`${what.padEnd(width)}  ${figure}\n`);
  process.stdout.write(`${JSON.stringify(json)}\n`);
}

function atLeastOne(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('A whole number from 1 on.');
  return number;
}

/** As a shell says that a program was interrupted. */
const interruptedStatus = 130;

async function untilInterrupted(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort());
  try {
    await run(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    process.exitCode = interruptedStatus;
  }
}

const program = new Command('npm run bench --').description('Measures Hilum on this machine.');
program
  .command('main-job')
  .description('a CT of 200 slices from the last C-STORE response at one hospital to the PACS of another')
  .action(async () => {
    print(await benchMainJob());
  });
program
  .command('hostile')
  .description('what a well-behaved association keeps of its speed beside a thousand hostile peers')
  .action(async () => {
    print(await benchHostile());
  });
program
  .command('ingest')
  .description('reception by C-STORE, compared with storescp and Orthanc; some twenty-five minutes')
  .option('--rounds <count>', 'pairs of each comparison', atLeastOne, 5)
  .option('--quick', 'smaller workloads, and no multi-frame of 4 GB', false)
  .option('--only <case...>', 'some of ct, ct4, small, small4, big, nagle; the other figures are null', [])
  .action((options: IngestOptions) =>
    insideOwnNetwork(() =>
      untilInterrupted(async (signal) => {
        print(await benchIngest(options, signal));
      }),
    ),
  );
program
  .command('ledger')
  .description('registrations, signed transactions, finality and bytes of the ledger; some twenty minutes')
  .option('--quick', 'shorter runs', false)
  .addOption(
    new Option('--only <case...>', 'some of the cases; the other figures are null')
      .choices(ledgerCases)
      .default([]),
  )
  .action((options: LedgerBenchOptions) =>
    untilInterrupted(async (signal) => {
      print(await benchLedger(options, signal));
    }),
  );
program
  .command('tpm')
  .description('the TPM binding beside a plain C program over ESYS and beside tpm2-tools; a minute')
  .option('--rounds <count>', 'turns of each comparison', atLeastOne, 7)
  .action(async (options: TpmBenchOptions) => {
    print(await benchTpm(options));
  });
await program.parseAsync();
