/**
 * `npm run model`: types and stories of the Quint model, its invariants over many random walks, the broken consortiums
 * that must fail, and fresh traces replayed through the core. `--write-vectors` makes the committed traces anew.
 */
import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { checkTypes, commandOf, invariantHolds, runStories, tracesOf, type Walks } from './quint.ts';
import { firstDifference } from './replay.ts';
import { broken, sound, validatorsOf, vectorFile, vectors } from './walks.ts';

interface ModelOptions {
  readonly walks: number;
  readonly traces: number;
  readonly seed: number;
  readonly writeVectors?: true;
}

/** Large enough that two runs hardly walk the same way. */
const seedsMax = 2 ** 40;
/** A broken consortium is walked through until an invariant fails, usually within some hundred walks. */
const brokenWalksMax = 4_000;

let failures = 0;

function say(isGood: boolean, text: string): void {
  if (!isGood) failures++;
  process.stdout.write(`${isGood ? '✔' : '✘'} ${text}\n`);
}

async function checkInvariants({ walks, seed }: ModelOptions): Promise<void> {
  for (const each of sound) {
    const run: Walks = { ...each, walks, seed };
    const holds = await invariantHolds(run);
    say(holds, `${each.instance}: ${each.invariant} in ${walks} walks of ${each.stepsMax} steps`);
    if (!holds) process.stdout.write(`  ${commandOf(run)}\n`);
  }
  for (const { what, ...each } of broken) {
    const holds = await invariantHolds({ ...each, walks: brokenWalksMax, seed });
    say(!holds, `${each.instance}: ${each.invariant} fails, because ${what}`);
  }
}

async function replayFresh({ traces, seed }: ModelOptions): Promise<void> {
  for (const each of sound) {
    const run: Walks = { ...each, walks: traces, seed: seed + 1 };
    const fresh = await tracesOf(run, traces);
    const differences = fresh.map(({ events }) => firstDifference(events, validatorsOf[each.instance] ?? 0));
    const first = differences.find((difference) => difference !== undefined);
    say(fresh.length > 0 && first === undefined, `${each.instance}: ${fresh.length} traces replayed`);
    if (first !== undefined) process.stdout.write(`  ${first}\n  ${commandOf(run)}\n`);
  }
}

async function writeVectors(): Promise<void> {
  for (const vector of vectors) {
    const [trace] = await tracesOf(vector);
    if (trace === undefined) throw new Error(`no trace for ${vector.name}`);
    await mkdir(new URL('.', vectorFile(vector)), { recursive: true });
    await writeFile(vectorFile(vector), trace.itf);
    say(true, `${vector.name}: ${trace.events.length} states`);
  }
}

async function check(options: ModelOptions): Promise<void> {
  await checkTypes();
  say(true, 'the model type-checks');
  say(true, `four: ${await runStories('four')} stories`);
  await checkInvariants(options);
  await replayFresh(options);
  process.stdout.write(`seed ${options.seed}, ${failures} failed\n`);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('A whole number from 1 on.');
  return number;
}

const program = new Command('npm run model --')
  .description('Walks through the Quint model of docs/consensus and replays its traces through the core.')
  .option('--walks <count>', 'random walks for each sound consortium', wholeNumber, 1_000)
  .option('--traces <count>', 'fresh traces to replay for each', wholeNumber, 100)
  .option('--seed <seed>', 'of the walks; random by default', wholeNumber, randomInt(1, seedsMax))
  .option('--write-vectors', 'make the traces of test/vectors/quint anew instead')
  .action(async (options: ModelOptions) => {
    await (options.writeVectors === true ? writeVectors() : check(options));
    process.exitCode = failures === 0 ? 0 : 1;
  });
await program.parseAsync();
