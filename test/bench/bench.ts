/** `npm run bench -- NAME`: measures, prints a table and, as its last line, one line of JSON. */
import { Command } from 'commander';
import { benchMainJob } from './main-job.ts';

/** What a benchmark found: rows for people, figures for machines. */
export interface BenchResult {
  readonly rows: readonly (readonly [what: string, figure: string])[];
  readonly json: { readonly bench: string; readonly [figure: string]: number | string };
}

const benches: Readonly<
  Record<string, { readonly about: string; readonly run: () => Promise<BenchResult> }>
> = {
  'main-job': {
    about: 'a CT of 200 slices from the last C-STORE response at one hospital to the PACS of another',
    run: benchMainJob,
  },
};

const program = new Command('npm run bench --').description('Measures Hilum on this machine.');
for (const [name, { about, run }] of Object.entries(benches)) {
  program
    .command(name)
    .description(about)
    .action(async () => {
      const { rows, json } = await run();
      const width = Math.max(...rows.map(([what]) => what.length));
      for (const [what, figure] of rows) process.stdout.write(`${what.padEnd(width)}  ${figure}\n`);
      process.stdout.write(`${JSON.stringify(json)}\n`);
    });
}
await program.parseAsync();
