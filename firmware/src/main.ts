/**
 * A Hilum box: the very program that runs on the appliance. `run` starts it; `enrol` writes what its hospital gives to
 * the consortium. Everything else stands in the configuration file. A fault at start ends with one line and status 1.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { Box } from './box/box.ts';
import { folderCustody, nobodysCustody, terminalCustody } from './box/code-custody.ts';
import { checkRecord } from './box/decommission-record.ts';
import { decommission } from './box/decommission.ts';
import { enrol } from './box/enrolment.ts';
import { forget } from './box/erasure.ts';
import { bringRestartOrder } from './box/restart-order.ts';
import { openLog, withoutPatientData } from './box/pino-log.ts';
import { askStanding } from './box/record-standing.ts';
import { rescue, restore } from './box/recovery.ts';
import { systemClock } from './box/system-clock.ts';
import { isPersonThere, withTerminal } from './box/terminal.ts';
import { version } from './box/version.ts';
import { approveFirmware, confirmFirmware, measureFirmware } from './box/firmware-approval.ts';
import { readConfig } from './config.ts';
import { AppError } from './errors.ts';

/**
 * One line for the person in front of the box. What is not an AppError is a bug: it says where, never what, since a
 * message of somebody's library can quote patient data. The service manager starts the box again.
 */
function fail(error: unknown): never {
  const line =
    error instanceof AppError
      ? error.line
      : `this is a bug, please report it: ${JSON.stringify(withoutPatientData(error))}`;
  process.stderr.write(`hilum: ${line}\n`);
  process.exit(1);
}

async function run(configPath: string): Promise<void> {
  const box = await Box.open(readConfig(configPath), {
    onFirstAdministrator: ({ name, oneTimePassword }) => {
      process.stdout.write(
        `First administrator: ${name}, one-time password: ${oneTimePassword} (shown once)\n`,
      );
    },
  });
  const stop = (): void => {
    box.stop().then(() => process.exit(0), fail);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Last, so that whoever waits for this line can stop the box in order.
  process.stdout.write(`${box.readyLine}\n`);
}

interface EnrolCommand {
  readonly config: string;
  readonly recoveryCodeTo?: string;
}

async function writeEnrolment({ config: configPath, recoveryCodeTo }: EnrolCommand): Promise<void> {
  const config = readConfig(configPath);
  const path = join(config.dataDir, 'enrolment.json');
  let fault: AppError | undefined;
  if (recoveryCodeTo !== undefined)
    fault = await enrol(config, path, folderCustody(config, resolve(recoveryCodeTo)));
  else if (isPersonThere())
    fault = await withTerminal((terminal) => enrol(config, path, terminalCustody(terminal)));
  else fault = await enrol(config, path, nobodysCustody(config, openLog(config)));
  process.stdout.write(`Enrolment record written: ${path}\n`);
  if (fault !== undefined) process.stderr.write(`hilum: ${fault.line}\n`);
}

interface DecommissionCommand {
  readonly config: string;
  readonly confirm: string;
  readonly record: string;
  readonly whileMember: boolean;
}

const program = new Command('hilum')
  .description('The gateway box of a radiology department.')
  .version(version)
  .showHelpAfterError();
program
  .command('run')
  .description('start the box')
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .action(({ config }: { config: string }) => run(config));
program
  .command('forget')
  .description(
    'make what was erased unreadable in every copy of the disk, also older ones; the box is stopped',
  )
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .action(({ config }: { config: string }) => forget(readConfig(config)));
program
  .command('rescue')
  .description(
    'let the firmware that runs now open the keys: by the recovery code and the offline rescue key',
  )
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .action(({ config }: { config: string }) =>
    withTerminal((terminal) => rescue(readConfig(config), terminal)),
  );
program
  .command('restore')
  .description(
    "make new keys on another TPM around what the recovery code opens: the patients' data stay readable",
  )
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .action(({ config }: { config: string }) =>
    withTerminal((terminal) => restore(readConfig(config), terminal)),
  );
program
  .command('restart')
  .description(
    'take a restart order that offline roots have signed, at the next start (docs/runbooks/restart.md)',
  )
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .argument('<order>', 'the file that the signers have made')
  .action(async (order: string, { config }: { config: string }) => {
    const lines = await bringRestartOrder(readConfig(config), order);
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  });
program
  .command('enrol')
  .description("make the box's keys and write the record that the consortium's genesis file takes")
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .option(
    '--recovery-code-to <folder>',
    'for a box without a terminal: writes the recovery code there, a file for each half; take each to a stick of its own',
  )
  .action(writeEnrolment);

program
  .command('decommission')
  .description('put the box out of service for good: destroy its keys and print the record of it')
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .requiredOption('--confirm <institution>', 'its id: what is destroyed here, nothing brings back')
  .requiredOption('--record <file>', 'where the record is written, outside of the data folder')
  .option('--while-member', 'though the ledger names it: another box is to take its place', false)
  .action(async (options: DecommissionCommand) => {
    const { config, record, confirm, whileMember } = options;
    const recordFile = resolve(record);
    process.stdout.write(await decommission(readConfig(config), { confirm, recordFile, whileMember }));
  });
program
  .command('check-record')
  .description('check the record of a box that was put out of service')
  .argument('<file>', 'the record')
  .option(
    '--genesis <file>',
    "the consortium's genesis document: with --ask, whether the membership is withdrawn",
  )
  .option(
    '--ask <origin>',
    "the console of any member's box, https://host:port, which has to prove what it says",
  )
  .action(async (file: string, { genesis, ask }: { genesis?: string; ask?: string }) => {
    const record = checkRecord(readFileSync(file, 'utf8'));
    const { hospital, isDone, identityDigest } = record;
    // What stands below the signature anybody can write, who was there or not.
    const end = isDone
      ? ' Below what is signed it says that it was done.'
      : ' It was begun and not ended: give the command decommission again.';
    process.stdout.write(
      `Nothing was changed since it was signed. ${hospital}.${end}\nIt is that hospital's only if its identity key was ${identityDigest}: compare with the proposal that admitted it, page Consortium.\n`,
    );
    if (genesis === undefined || ask === undefined) {
      if (genesis !== ask) throw new AppError('DOCUMENT_INVALID', '--genesis and --ask go together.');
      return;
    }
    const { isWithdrawn, words } = await askStanding(record, genesis, ask, systemClock);
    process.stdout.write(`${words}\n`);
    if (!isWithdrawn || !isDone) process.exitCode = 1;
  });

const firmware = program
  .command('firmware')
  .description('which firmware may open the keys of the box; the box is stopped (docs/runbooks/firmware.md)');
firmware
  .command('measure')
  .description('say as what this very program is measured on a software TPM: what approve takes')
  .action(async () => {
    process.stdout.write(await measureFirmware());
  });
firmware
  .command('approve')
  .description('before an update: let the next firmware open the keys, too')
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .argument('<measured>', 'what PCR 11 will hold, and PCR 7 if it changes, as systemd-measure prints it')
  .action(async (measured: string, { config }: { config: string }) => {
    process.stdout.write(`${await approveFirmware(readConfig(config), measured)}\n`);
  });
firmware
  .command('confirm')
  .description('after an update: the firmware that runs stays, and no other opens the keys again')
  .requiredOption('--config <file>', 'its configuration (docs/configuration.md)')
  .action(async ({ config }: { config: string }) => {
    process.stdout.write(`${await confirmFirmware(readConfig(config))}\n`);
  });

process.on('uncaughtException', fail);
program.parseAsync().catch(fail);
