import { execFile } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../src/errors.ts';
import { simulatorSetupMsMax } from '../limits.ts';

const run = promisify(execFile);

/** Written last: a set-up that was cut short is done again, which no key can have been made under yet. */
const markerName = 'set-up';
const logName = 'swtpm-setup.log';
/** Where Debian 12 and 13 have it (package swtpm-tools). */
const certificateTool = '/usr/bin/swtpm_localca';

async function exists(file: string): Promise<boolean> {
  try {
    await readFile(file);
    return true;
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw failure;
  }
}

/** A certificate authority of this simulator's own: the certificates are for development, and nobody else's trust. */
async function writeCertificateSettings(stateFolder: string): Promise<string> {
  const authority = join(stateFolder, 'ca');
  await mkdir(authority, { recursive: true, mode: 0o700 });
  const settings = join(stateFolder, 'local-ca.conf');
  const options = join(stateFolder, 'local-ca.options');
  const setup = join(stateFolder, 'swtpm-setup.conf');
  await writeFile(
    settings,
    [
      `statedir = ${authority}`,
      `signingkey = ${join(authority, 'signing-key.pem')}`,
      `issuercert = ${join(authority, 'issuer-certificate.pem')}`,
      `certserial = ${join(authority, 'serial')}`,
      '',
    ].join('\n'),
  );
  await writeFile(
    options,
    ['--platform-manufacturer Hilum', '--platform-version 1.0', '--platform-model Development', ''].join(
      '\n',
    ),
  );
  await writeFile(
    setup,
    [
      `create_certs_tool = ${certificateTool}`,
      `create_certs_tool_config = ${settings}`,
      `create_certs_tool_options = ${options}`,
      '',
    ].join('\n'),
  );
  return setup;
}

/**
 * Makes the simulator's TPM in the folder, with endorsement keys and their certificates, unless it is there already.
 * @throws AppError TPM_SIMULATOR_MISSING without swtpm_setup, TPM_FAILED if it fails.
 */
export async function setUpSimulator(stateFolder: string, program: string): Promise<void> {
  const marker = join(stateFolder, markerName);
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  if (await exists(marker)) return;
  const settings = await writeCertificateSettings(stateFolder);
  try {
    await run(
      program,
      [
        '--tpm2',
        ...['--tpmstate', stateFolder],
        ...['--config', settings],
        '--ecc',
        '--create-ek-cert',
        '--create-platform-cert',
        '--lock-nvram',
        ...['--pcr-banks', 'sha256'],
        '--overwrite',
        ...['--logfile', join(stateFolder, logName)],
      ],
      { timeout: simulatorSetupMsMax },
    );
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new AppError('TPM_SIMULATOR_MISSING', `${program} is not installed`, { cause });
    }
    throw new AppError('TPM_FAILED', `${program} failed; see ${join(stateFolder, logName)}`, { cause });
  }
  const handle = await open(marker, 'w', 0o600);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
