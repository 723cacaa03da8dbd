/** `npm start`: four hospitals on this machine do Hilum's main job, then stay up until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Consortium } from './consortium.ts';
import { BoxFailed } from './hospital-process.ts';
import { boxAeTitle, hospitals, modalityAeTitles } from './hospitals.ts';
import { runMainJob } from './main-job.ts';
import { Narrator, StepFailed } from './narrator.ts';
import { hireStaff } from './staff.ts';

const folder = resolve(fileURLToPath(new URL('../../.hilum', import.meta.url)));

interface Flags {
  readonly fresh?: true;
  readonly exit?: true;
}

/** Quiet time and amendments as short as a demonstration needs; a hospital takes a minute and half of one. */
const timing = { quietMs: 5_000, amendMs: 3_000 };
const sliceCount = 200;

async function demonstrate({ fresh, exit }: Flags): Promise<number> {
  const narrator = new Narrator((text) => process.stdout.write(text));
  const consortium = new Consortium({ folder, hospitals, timing });
  const interrupted = new Promise<'interrupted'>((interrupt) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt('interrupted'));
  });
  const job = perform(consortium, narrator, fresh === true);
  const outcome = await Promise.race([job, interrupted]);
  if (outcome === 'done' && exit !== true) {
    await stayUp(consortium, narrator);
    await interrupted;
  }
  narrator.say('\nStopping the four boxes and the PACS …');
  const clean = await consortium.stop();
  if (!clean) narrator.say('A box did not stop cleanly; its log says why.');
  if (outcome === 'interrupted') narrator.say('Interrupted before every step was done.');
  return outcome === 'done' && clean ? 0 : 1;
}

async function perform(
  consortium: Consortium,
  narrator: Narrator,
  fresh: boolean,
): Promise<'done' | 'failed'> {
  try {
    narrator.heading('Consortium');
    if (fresh) await narrator.step('the former consortium is forgotten', () => consortium.clear());
    await narrator.step(
      'each box makes its keys in its own TPM',
      () => consortium.found(),
      (isNew) => (isNew ? 'a new consortium of four' : 'kept from the last run'),
    );
    const firstLogins = await narrator.step('four boxes and one PACS start', () => consortium.start());
    const logins = await narrator.step('staff log in at the consoles', () =>
      hireStaff(consortium, firstLogins),
    );
    await runMainJob({ consortium, logins, narrator, slices: sliceCount });
    narrator.say('\nEvery step held.');
    return 'done';
  } catch (error) {
    // A step has said by itself what failed; what is no step's failure is told here.
    if (error instanceof BoxFailed || !(error instanceof StepFailed)) narrator.say(`\n${String(error)}`);
    narrator.say(`\nNot every step held. The logs of the boxes: ${folder}/*/log.jsonl`);
    return 'failed';
  }
}

async function stayUp(consortium: Consortium, narrator: Narrator): Promise<void> {
  const logins = await consortium.readLogins();
  narrator.heading('The consoles (your browser will warn of a certificate that the box made itself)');
  for (const { hospital, origin } of consortium.boxes) {
    const [admin] = logins[hospital.id] ?? [];
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

const program = new Command('npm start --')
  .description('Four hospitals on this machine do the main job of Hilum, then stay up until Ctrl-C.')
  .option('--fresh', 'forget the consortium of earlier runs and begin anew')
  .option('--exit', 'end after the main job; exit status 0 only if every step held')
  .action(async (flags: Flags) => {
    process.exitCode = await demonstrate(flags);
  });
await program.parseAsync();
