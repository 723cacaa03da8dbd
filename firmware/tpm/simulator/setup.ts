import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../src/errors.ts';
import { simulatorSetupMsMax } from '../limits.ts';
import { endSimulatorsOf } from './orphan.ts';

const run = promisify(execFile);

/** Ending of the folder in which a TPM is made, before six random characters. */
const draftEnding = '.making-';
/** A set-up that is just ending may add a file while its folder is removed. */
const removalsMax = 5;
const logName = 'swtpm-setup.log';
/** Where Debian 12 and 13 have it (package swtpm-tools). */
const certificateTool = '/usr/bin/swtpm_localca';

/** The names in a folder; none if there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw failure;
  }
}

/** PEM: the authority that certifies the simulator's keys, and its root. */
export function simulatorAuthorityFiles(stateFolder: string): readonly string[] {
  const names = ['issuer-certificate.pem', 'swtpm-localca-rootca-cert.pem'];
  return names.map((name) => join(stateFolder, 'ca', name));
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

async function runSetup(program: string, folder: string): Promise<void> {
  const settings = await writeCertificateSettings(folder);
  try {
    await run(
      program,
      [
        '--tpm2',
        ...['--tpmstate', folder],
        ...['--config', settings],
        '--ecc',
        '--create-ek-cert',
        '--create-platform-cert',
        '--lock-nvram',
        ...['--pcr-banks', 'sha256'],
        '--overwrite',
        ...['--logfile', join(folder, logName)],
      ],
      { timeout: simulatorSetupMsMax },
    );
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new AppError('TPM_SIMULATOR_MISSING', `${program} is not installed`, { cause });
    }
    const log = await readFile(join(folder, logName), 'utf8');
    throw new AppError('TPM_FAILED', `${program} failed: ${log.trimEnd().split('\n').at(-1)}`, { cause });
  }
}

/** The processes of a set-up outlive the one that began it. */
async function removeDraft(draft: string): Promise<void> {
  await endSimulatorsOf(draft);
  await rm(draft, { recursive: true, force: true, maxRetries: removalsMax });
}

/** The name is on disk when this resolves. */
async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  const parent = await open(dirname(to), 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

/**
 * Makes the simulator's TPM, with endorsement keys and their certificates, unless the folder holds one already. It is
 * made aside and moved there as a whole; what an interrupted set-up left, its processes too, never meets the next one.
 * @throws AppError TPM_SIMULATOR_MISSING without swtpm_setup, TPM_FAILED if it fails.
 */
export async function setUpSimulator(stateFolder: string, program: string): Promise<void> {
  if ((await namesIn(stateFolder)).length > 0) return;
  const parent = dirname(stateFolder);
  const draftName = basename(stateFolder) + draftEnding;
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await namesIn(parent)) {
    if (name.startsWith(draftName)) await removeDraft(join(parent, name));
  }
  const draft = await mkdtemp(join(parent, draftName)); // mode 0700
  try {
    await runSetup(program, draft);
    await moveDurably(draft, stateFolder);
  } catch (failure) {
    await removeDraft(draft);
    throw failure;
  }
}
