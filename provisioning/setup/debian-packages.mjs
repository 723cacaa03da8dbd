/** The Debian packages that the npm registry cannot give: which, why, and how the missing ones are installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SetupError } from './setup-error.mjs';
import { runTool } from './tool.mjs';

/** @typedef {'run' | 'test' | 'bench'} Purpose */

/**
 * @typedef {object} DebianPackage
 * @property {string[]} names the same thing under the names it has in different releases, newest last
 * @property {Purpose | Purpose[]} for
 * @property {string} reason
 */

// Debian 13 and Ubuntu 24.04 renamed libraries in the 64-bit time_t transition (t64).
/** @type {DebianPackage[]} */
export const debianPackages = [
  { names: ['swtpm'], for: 'run', reason: 'the TPM of each hospital of the demonstration, in software' },
  { names: ['swtpm-tools'], for: 'run', reason: 'makes the state and certificates of a new software TPM' },
  {
    names: ['libtss2-esys-3.0.2-0', 'libtss2-esys-3.0.2-0t64'],
    for: 'run',
    reason: 'TPM commands (tpm2-tss)',
  },
  {
    names: ['libtss2-mu0', 'libtss2-mu-4.0.1-0', 'libtss2-mu-4.0.1-0t64'],
    for: 'run',
    reason: 'TPM wire format',
  },
  { names: ['libtss2-tctildr0', 'libtss2-tctildr0t64'], for: 'run', reason: 'finds the way to the TPM' },
  {
    names: ['libtss2-tcti-swtpm0', 'libtss2-tcti-swtpm0t64'],
    for: 'run',
    reason: 'the way to a software TPM',
  },
  { names: ['libtss2-tcti-device0', 'libtss2-tcti-device0t64'], for: 'run', reason: 'the way to a real TPM' },
  { names: ['dcmtk'], for: 'run', reason: 'storescu and dcmsend, which play the modality' },
  { names: ['orthanc'], for: 'run', reason: 'plays the PACS of the receiving hospital' },
  { names: ['python3-pydicom'], for: 'run', reason: 'carries real DICOM objects, and compares what arrived' },
  { names: ['chromium'], for: 'test', reason: 'the browser in which the console is tested' },
  {
    names: ['iproute2'],
    for: 'test',
    reason: 'networks in namespaces: routes with quick acknowledgement, boxes that are cut off',
  },
  { names: ['odil'], for: 'test', reason: 'an independent DICOM peer (C++): query, retrieve, store' },
  {
    names: ['python3-odil'],
    for: 'test',
    reason: 'the same, as a peer of procedure steps and notifications of availability',
  },
  {
    names: ['libgdcm-tools'],
    for: 'test',
    reason: 'gdcmscu and gdcmconv, an independent DICOM peer and its codecs (GDCM)',
  },
  { names: ['libpixelmed-java'], for: 'test', reason: 'an independent DICOM peer (PixelMed)' },
  { names: ['default-jre-headless'], for: 'test', reason: 'runs PixelMed' },
  { names: ['socat'], for: 'test', reason: 'the tunnel before a DICOM peer that has no TLS of its own' },
  { names: ['e2fsprogs'], for: 'test', reason: 'makes the small disk that the tests of a full one fill' },
  { names: ['mount'], for: 'test', reason: 'mounts it, and turns it read-only' },
  { names: ['openssl'], for: 'test', reason: 'certificates of the DICOM TLS tests' },
  {
    names: ['tpm2-tools'],
    for: ['test', 'bench'],
    reason: 'an independent program that reads what Hilum seals',
  },
  { names: ['gcc'], for: 'bench', reason: 'compiles the C program with which the TPM binding is compared' },
  { names: ['libc6-dev'], for: 'bench', reason: 'what that program is compiled with' },
  { names: ['libtss2-dev'], for: 'bench', reason: 'the headers of tpm2-tss for that program' },
];

const installScript = fileURLToPath(new URL('install-debian-packages.sh', import.meta.url));

const wantedFor = (purposes) =>
  debianPackages.filter((row) => [row.for].flat().some((purpose) => purposes.includes(purpose)));

const listed = (rows, nameOf = (row) => row.names[0]) =>
  rows.map((row) => `${nameOf(row).padEnd(26)} ${row.reason}`);

const onPath = (command) =>
  (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(`${folder}/${command}`));

function isDebianLike() {
  if (!existsSync('/etc/os-release')) return false;
  const ids = readFileSync('/etc/os-release', 'utf8').match(/^ID(_LIKE)?=.*$/gm) ?? [];
  return ids.some((line) => /\b(debian|ubuntu)\b/.test(line)) && onPath('apt-get') && onPath('dpkg-query');
}

/**
 * Looked at before anything is downloaded.
 * @param {Purpose[]} purposes
 * @throws {SetupError} on a system without apt.
 */
export function checkSystem(purposes) {
  if (isDebianLike()) return;
  throw new SetupError(
    'this is not a Debian system (nor one that derives from it), so that Hilum cannot install what it needs:',
    listed(wantedFor(purposes)),
    'Run it on Debian 12 or later, in a virtual machine or a container if need be.',
  );
}

function installedNames(names) {
  // dpkg-query exits with 1 when it does not know a name; what it knows it prints all the same.
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  const installed = stdout.split('\n').filter((line) => line.endsWith(' installed'));
  return new Set(installed.map((line) => line.slice(0, line.indexOf(' '))));
}

function missingRows(purposes) {
  const rows = wantedFor(purposes);
  const installed = installedNames(rows.flatMap((row) => row.names));
  return rows.filter((row) => !row.names.some((name) => installed.has(name)));
}

/** The name that this release has, by apt's own lists. */
function installableName(row) {
  for (const name of [...row.names].reverse()) {
    const policy = execFileSync('apt-cache', ['policy', name], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    if (/^ {2}Candidate: (?!\(none\))/m.test(policy)) return name;
  }
  return undefined;
}

/**
 * How to become root: nothing to do, or sudo. A password is asked for here, before any progress line is shown.
 * @returns {string[]} the words before a command
 */
function rootPrefix(missing) {
  if (process.getuid?.() === 0) return [];
  const sudo = onPath('sudo');
  if (sudo && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo', '-n'];
  if (sudo && process.stdin.isTTY && spawnSync('sudo', ['-v'], { stdio: 'inherit' }).status === 0)
    return ['sudo', '-n'];
  const names = missing.map((row) => installableName(row) ?? row.names[0]);
  throw new SetupError(
    `Debian packages are missing, and installing them needs root${sudo ? ' (sudo refused)' : ', but there is no sudo'}:`,
    listed(missing),
    `Ask an administrator for: apt-get install --no-install-recommends ${names.join(' ')}`,
  );
}

/**
 * @param {Purpose[]} purposes
 * @param {ReturnType<typeof import('./progress.mjs').createReporter>} reporter
 * @throws {SetupError} when they cannot be installed, with apt's last lines
 */
export async function ensureDebianPackages(purposes, reporter) {
  if (purposes.length === 0) return;
  const missing = missingRows(purposes);
  if (missing.length === 0) return;

  reporter.heading('Debian packages:');
  const prefix = rootPrefix(missing);
  const asRoot = (command, onLine) => {
    const [program, ...args] = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'LC_ALL=C.UTF-8',
      ...command,
    ];
    return runTool(program, args, { onLine });
  };

  // Not fatal by itself: a foreign source of this machine may be down while Debian's lists are fresh enough.
  const update = await reporter.step('apt-get update', (hint) => asRoot(['apt-get', 'update'], hint));

  const unknown = missing.filter((row) => installableName(row) === undefined);
  if (unknown.length > 0) {
    throw new SetupError(
      `the package sources of this machine do not have ${unknown.map((row) => row.names.join(' or ')).join(', ')}; apt-get update said:`,
      update.lastLines,
      'Check the network and /etc/apt (section main of Debian 12 or later has all of them), then run the same command again.',
    );
  }
  const names = missing.map(installableName);
  for (const line of listed(missing, installableName)) reporter.line(line);
  await reporter.step(`apt-get install these ${names.length} and what they need`, async (hint) => {
    const install = await asRoot(['sh', installScript, ...names], hint);
    if (install.code === 0) return;
    throw new SetupError(
      `apt-get install ${names.join(' ')} failed (exit status ${install.code ?? 'none'}); it said:`,
      install.lastLines,
      'Check the network, the disk and that no other apt is stuck, then run the same command again.',
    );
  });
  const still = missingRows(purposes);
  if (still.length > 0) {
    throw new SetupError(
      'apt-get install ended well, but these are still missing:',
      listed(still),
      'Install them by hand.',
    );
  }
}
