/** `npm run sim`: many seeds with a table at the end, or one seed with all that happens in it. */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isModeName, modeNames, modeOf, modes, type ModeName } from './modes.ts';
import { runSeeds } from './pool.ts';
import { commandFor, runSeed, type SeedRun } from './seed-run.ts';
import { Tally } from './tally.ts';

interface SimOptions {
  readonly seeds: number;
  readonly first: number;
  readonly threads: number;
  readonly mode?: string;
  readonly seed?: number;
}

const progressMs = 10_000;

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('A whole number from 0 on.');
  return number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One seed, with everything that happens. True if all rules held. */
async function replay(mode: ModeName, seed: number): Promise<boolean> {
  await modes[mode].run(seed, (timeMs, event) => say(`${(timeMs / 1000).toFixed(3)} ${event}`));
  const { failures, traceHash, figures } = await runSeed({ mode, seed });
  say(`${mode}, seed ${seed}: trace ${traceHash.slice(0, 16)}, ${JSON.stringify(figures)}`);
  for (const failure of failures) say(`FAILED ${failure}`);
  return failures.length === 0;
}

/** True if all rules held in all seeds. */
async function runMany({ seeds, first, threads }: SimOptions, mode: ModeName | undefined): Promise<boolean> {
  const tally = new Tally();
  const begunAt = performance.now();
  const progress = (): string =>
    `${tally.seeds} of ${seeds} seeds in ${((performance.now() - begunAt) / 1000).toFixed(0)} s, ${tally.failed.length} failed`;
  const timer = setInterval(() => say(progress()), progressMs);
  function* runs(): Generator<SeedRun, undefined> {
    for (let seed = first; seed < first + seeds; seed++) yield { mode: mode ?? modeOf(seed), seed };
    return undefined;
  }
  try {
    await runSeeds(runs(), {
      threads,
      onResult: (result) => {
        tally.add(result);
        if (result.failures.length > 0) say(`FAILED ${commandFor(result)}`);
        return 'go on';
      },
    });
  } finally {
    clearInterval(timer);
  }
  for (const line of tally.lines()) say(line);
  say(progress());
  return tally.failed.length === 0;
}

const program = new Command('npm run sim --')
  .description('Simulates consortiums from seeds: networks, disks, clocks, crashes and liars.')
  .option('--seeds <count>', 'how many', wholeNumber, 300)
  .option('--first <seed>', 'the first of them', wholeNumber, 1)
  .option('--threads <count>', 'at a time', wholeNumber, availableParallelism())
  .addOption(new Option('--mode <name>', 'one kind of world; all in turn by default').choices(modeNames))
  .option('--seed <seed>', 'one seed, with all that happens in it', wholeNumber)
  .addHelpText(
    'after',
    `\nKinds of world:\n${modeNames.map((name) => `  ${name}: ${modes[name].what}`).join('\n')}`,
  )
  .action(async (options: SimOptions) => {
    const mode = options.mode !== undefined && isModeName(options.mode) ? options.mode : undefined;
    const { seed } = options;
    const held = seed === undefined ? await runMany(options, mode) : await replay(mode ?? modeOf(seed), seed);
    process.exitCode = held ? 0 : 1;
  });
await program.parseAsync();
