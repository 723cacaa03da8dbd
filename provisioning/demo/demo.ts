/** `npm start`: four hospitals on this machine do Hilum's main job, then stay up until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { Consortium } from './consortium.ts';
import { claimFolder, FolderInUse } from './folder-lock.ts';
import { BoxFailed } from './hospital-process.ts';
import { boxAeTitle, hospitals, hospitalsFrom, modalityAeTitles, portCount } from './hospitals.ts';
import { runMainJob } from './main-job.ts';
import { Narrator, StepFailed } from './narrator.ts';
import { hireStaff } from './staff.ts';

const defaultFolder = resolve(fileURLToPath(new URL('../../.hilum', import.meta.url)));

interface Flags {
  readonly fresh?: true;
  readonly exit?: true;
  readonly folder: string;
  /** The first of the ports; the usual ones if left out. */
  readonly ports?: number;
  readonly slices: number;
}

/** Quiet time and amendments as short as a demonstration needs; a hospital takes a minute and half of one. */
const timing = { quietMs: 5_000, amendMs: 3_000 };

/** A refusal that comes sooner or later than another by more than this would tell them apart. */
const answerSpreadMsMax = 800;

/** Aborted by the first of the signals that end us; later ones change nothing while all is stopped in order. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new Error('interrupted'));
  // Not `once`: npm and a shell may each send the same interrupt, and the second must not end us half-way.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // The terminal is gone, or whoever read what we say.
  process.stdout.on('error', interrupt);
  process.stderr.on('error', interrupt);
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function demonstrate(flags: Flags): Promise<number> {
  const signal = interruption();
  const release = await claimFolder(flags.folder);
  const narrator = new Narrator((text) => process.stdout.write(text), signal);
  const placed = flags.ports === undefined ? hospitals : hospitalsFrom(flags.ports);
  const consortium = new Consortium({ folder: flags.folder, hospitals: placed, timing, signal });
  const outcome = await perform(consortium, narrator, flags);
  if (outcome === 'done' && flags.exit !== true && !signal.aborted) {
    await stayUp(consortium, narrator);
    // Sockets of the boxes and their output keep the process alive while it waits.
    await aborted(signal);
  }
  narrator.say('\nStopping the four boxes and the PACS …');
  const clean = await consortium.stop();
  await release();
  if (signal.aborted && outcome !== 'done') narrator.say('Interrupted before every step was done.');
  else if (!clean) narrator.say('A box did not stop cleanly; its log says why.');
  return outcome === 'done' && clean ? 0 : 1;
}

async function perform(consortium: Consortium, narrator: Narrator, flags: Flags): Promise<'done' | 'failed'> {
  try {
    narrator.heading('Consortium');
    if (flags.fresh) await narrator.step('the former consortium is forgotten', () => consortium.clear());
    await narrator.step(
      'each box makes its keys in its own TPM',
      () => consortium.found(),
      (isNew) => (isNew ? 'a new consortium of four' : 'kept from the last run'),
    );
    const firstLogins = await narrator.step('four boxes and one PACS start', () => consortium.start());
    const logins = await narrator.step('staff log in at the consoles', () =>
      hireStaff(consortium, firstLogins),
    );
    await runMainJob({ consortium, logins, narrator, slices: flags.slices, answerSpreadMsMax });
    narrator.say('\nEvery step held.');
    return 'done';
  } catch (error) {
    if (consortium.interrupted) return 'failed';
    // A step has said by itself what failed; what is no step's failure is told here.
    if (error instanceof BoxFailed || !(error instanceof StepFailed)) narrator.say(`\n${String(error)}`);
    narrator.say(`\nNot every step held. The logs of the boxes: ${consortium.folder}/*/log.jsonl`);
    return 'failed';
  }
}

async function stayUp(consortium: Consortium, narrator: Narrator): Promise<void> {
  const logins = await consortium.readLogins();
  narrator.heading('The consoles (your browser will warn of a certificate that the box made itself)');
  for (const { hospital, origin } of consortium.boxes) {
    const admin = logins[hospital.id]?.find(({ name }) => name === 'admin');
    narrator.say(`  ${hospital.name.padEnd(32)} ${origin}   ${admin?.name ?? ''} / ${admin?.password ?? ''}`);
  }
  const [source] = consortium.boxes;
  if (source === undefined) return;
  narrator.heading('Send a study of your own to the first hospital and watch it appear in its console:');
  narrator.say(
    `  storescu -v +sd -aet ${modalityAeTitles[0]} -aec ${boxAeTitle} 127.0.0.1 ${source.hospital.ports.dicom} FOLDER`,
  );
  narrator.say('\nCtrl-C stops everything.');
}

function integerUpTo(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
    return value;
  };
}

const program = new Command('npm start --')
  .description('Four hospitals on this machine do the main job of Hilum, then stay up until Ctrl-C.')
  .option('--fresh', 'forget the consortium of earlier runs and begin anew')
  .option('--exit', 'end after the main job; exit status 0 only if every step held')
  .option('--folder <folder>', 'where the boxes keep their data', (path) => resolve(path), defaultFolder)
  .option(
    '--ports <first>',
    `listen on the ${portCount} ports from this one on, on the loopback interface, instead of the usual ones`,
    integerUpTo(65_536 - portCount),
  )
  .option('--slices <count>', 'how many slices the synthesised CT has', integerUpTo(1_000), 200)
  .action(async (flags: Flags) => {
    try {
      // What an interrupt left half-way, such as a request to a box that is gone, is not waited for.
      process.exit(await demonstrate(flags));
    } catch (error) {
      if (!(error instanceof FolderInUse)) throw error;
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    }
  });
await program.parseAsync();
