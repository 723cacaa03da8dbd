/**
 * A Hilum box: the very program that runs on the appliance. `run` starts it; `enrol` writes what its hospital gives to
 * the consortium. Everything else stands in the configuration file. A fault at start ends with one line and status 1.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { Box } from './box/box.ts';
import type { KeysEvents } from './box/device-keys.ts';
import { checkRecord } from './box/decommission-record.ts';
import { decommission } from './box/decommission.ts';
import { enrol } from './box/enrolment.ts';
import { forget } from './box/erasure.ts';
import { bringRestartOrder } from './box/restart-order.ts';
import { withoutPatientData } from './box/pino-log.ts';
import { rescue, restore, type Terminal } from './box/recovery.ts';
import { version } from './box/version.ts';
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

/** For two custodians of the hospital, one half for each; docs/runbooks/recovery.md. */
const showRecoveryCode: KeysEvents['onRecoveryCode'] = (halves) => {
  halves.forEach((half, index) => {
    process.stdout.write(`Recovery code, half ${index + 1} of 2 (shown once): ${half}\n`);
  });
};

async function run(configPath: string): Promise<void> {
  const box = await Box.open(readConfig(configPath), {
    onRecoveryCode: showRecoveryCode,
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

async function writeEnrolment(configPath: string): Promise<void> {
  const config = readConfig(configPath);
  const path = join(config.dataDir, 'enrolment.json');
  await enrol(config, path, { onRecoveryCode: showRecoveryCode });
  process.stdout.write(`Enrolment record written: ${path}\n`);
}

/** Asks line by line, as well of a person as of a pipe. */
async function withTerminal(act: (terminal: Terminal) => Promise<void>): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const typed = lines[Symbol.asyncIterator]();
  try {
    await act({
      tell: (line) => process.stdout.write(`${line}\n`),
      ask: async (question) => {
        process.stdout.write(`${question}: `);
        const { value } = await typed.next();
        return value ?? '';
      },
    });
  } finally {
    lines.close();
  }
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
  .action(({ config }: { config: string }) =>
    forget(readConfig(config), { onRecoveryCode: showRecoveryCode }),
  );
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
  .action(({ config }: { config: string }) => writeEnrolment(config));

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
  .action((file: string) => {
    const { hospital, isDone } = checkRecord(readFileSync(file, 'utf8'));
    const end = isDone ? '' : ' It was begun and not ended: give the command decommission again.';
    process.stdout.write(`The record is right. ${hospital}.${end}\n`);
  });

process.on('uncaughtException', fail);
program.parseAsync().catch(fail);
