/** Puts this box out of service for good: its keys are destroyed, and a record proves it. The box itself is stopped. */
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import type { Config } from '../config.ts';
import { institutionRecord, stateKeys } from '../ledger/index.ts';
import type { Logger } from '../ports.ts';
import { claimDataFolder, writeFileAtomically } from '../store/data-folder.ts';
import { nobodysCustody } from './code-custody.ts';
import { begunRecord, isKeyDead, refused } from './decommission-begun.ts';
import { completedRecord, recordBody, signedRecord } from './decommission-record.ts';
import { keysFileOf, openKeys } from './device-keys.ts';
import { readLedgerOnDisk } from './ledger-on-disk.ts';
import { openLog } from './pino-log.ts';
import { systemClock } from './system-clock.ts';
import { Undo } from './undo.ts';
import { isWithin } from './within-folder.ts';

export interface DecommissionOptions {
  /** The institution's id, typed by the person: a box that was mistaken for another is left alone. */
  readonly confirm: string;
  /** Where the record is written, outside of the data folder. */
  readonly recordFile: string;
  /** Also while the ledger names this box as a member: another one is to take its place. */
  readonly whileMember: boolean;
}

/**
 * The record, which is on disk when it resolves. Given again after a power cut it goes on where it was: before the TPM
 * has cleared itself from the beginning, afterwards with the files that are left.
 * @throws AppError DECOMMISSION_REFUSED, or of the TPM and the store.
 */
export async function decommission(config: Config, options: DecommissionOptions): Promise<string> {
  const { institution, dataDir } = config;
  const { recordFile } = options;
  if (options.confirm !== institution.id)
    throw refused(`this is the box of ${institution.id}, not of ${options.confirm}`);
  if (isWithin(dataDir, recordFile)) throw refused(`the record ${recordFile} would stand in the data folder`);
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(dataDir));
    const logger = openLog(config);
    const begun = await begunRecord(config, recordFile);
    const { own } = await keyFiles(dataDir);
    const isDead = begun !== undefined && (await isKeyDead(config, begun, own, logger));
    const record = isDead ? begun : await destroyKeys(config, options, logger, undo);
    await removeKeyFiles(dataDir);
    const completed = completedRecord(record, systemClock.now());
    await writeRecord(recordFile, completed);
    return completed;
  } finally {
    await undo.run();
  }
}

/** Writes the record that it is begun, and has the TPM clear itself. @returns that record. */
async function destroyKeys(
  config: Config,
  options: DecommissionOptions,
  logger: Logger,
  undo: Undo,
): Promise<string> {
  const { institution, dataDir } = config;
  await readBytes(keysFileOf(config));
  const keys = await openKeys(config, systemClock, logger, nobodysCustody(config, logger), undo);
  const standing = await standingOnDisk(config, keys.identityPublicKey);
  if (standing.isNamed && !options.whileMember)
    throw refused(
      `the ledger names this box (${standing.words}): have the members remove the hospital first`,
    );
  const files = await keyFiles(dataDir);
  const body = recordBody({
    institution,
    at: systemClock.now(),
    identityPublicKey: keys.identityPublicKey,
    attestationName: keys.attester.attestationName,
    endorsementDigest: keys.attester.endorsementDigest,
    standing: standing.words,
    files: await Promise.all(
      files.own.map(async (path) => ({
        name: relative(dataDir, path),
        digest: sha256(await readBytes(path)),
      })),
    ),
    studies: files.studies.length,
  });
  const record = signedRecord(body, await keys.signWithIdentity(utf8(body)));
  // Before the key dies, which cannot sign afterwards: a power cut leaves a record that was begun.
  await writeRecord(options.recordFile, record);
  await keys.clear();
  const health = await keys.probe();
  if (health !== 'wrong-tpm')
    throw new AppError('TPM_FAILED', `the TPM says ${health} after it was told to clear itself`);
  return record;
}

/** All of them are worthless by now; a file more or less after a power cut opens nothing. */
async function removeKeyFiles(dataDir: string): Promise<void> {
  const { own, studies } = await keyFiles(dataDir);
  for (const path of [...own, ...studies]) await rm(path, { force: true });
  await syncFolder(dataDir);
}

const ownNames = new Set(['keys.json', 'recovery', 'index.key']);
const studyKeyName = 'study.key';

/** Files that hold wrapped or sealed keys: of the box, and of its studies. */
async function keyFiles(dataDir: string): Promise<{ readonly own: string[]; readonly studies: string[] }> {
  const paths = await readdir(dataDir, { recursive: true });
  const own = paths.filter((path) => ownNames.has(path)).sort();
  const studies = paths.filter((path) => basename(path) === studyKeyName);
  return {
    own: own.map((path) => join(dataDir, path)),
    studies: studies.map((path) => join(dataDir, path)),
  };
}

/** As far as this box has the ledger: it asks nobody. */
async function standingOnDisk(
  { dataDir, genesisFile, institution }: Config,
  identity: Uint8Array,
): Promise<{ readonly isNamed: boolean; readonly words: string }> {
  if (genesisFile === undefined) return { isNamed: false, words: 'in no consortium' };
  return readLedgerOnDisk(dataDir, async (read) => {
    const saved = await read(institutionRecord, stateKeys.institution(institution.id));
    const at = saved === undefined ? 'before its first block' : `at height ${saved.height}`;
    if (saved?.record === undefined) return { isNamed: false, words: `no member ${at}` };
    const isNamed = equalBytes(saved.record.keys.identity, identity);
    return { isNamed, words: isNamed ? `a member with this box ${at}` : `a member with another box ${at}` };
  });
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw refused(`the file ${path} cannot be read`, cause);
  }
}

async function writeRecord(path: string, text: string): Promise<void> {
  await writeFileAtomically(dirname(path), basename(path), utf8(text));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
