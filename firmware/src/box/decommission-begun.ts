/** A decommission that a power cut ended: its record says what was begun, and the TPM says whether the keys are dead. */
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { BrokerClient } from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { checkRecord, type CheckedRecord } from './decommission-record.ts';
import { openTpm } from './device-keys.ts';
import { Undo } from './undo.ts';

/**
 * The text of the record that stands in this file; undefined if there is no file.
 * @throws AppError DECOMMISSION_REFUSED if anything but a record that this hospital's box began stands there.
 */
export async function begunRecord({ institution }: Config, file: string): Promise<string | undefined> {
  const text = await textOf(file);
  if (text === undefined) return undefined;
  let record: CheckedRecord;
  try {
    record = checkRecord(text);
  } catch (cause) {
    throw refused(`${file} is there, and is no record of a box`, cause);
  }
  if (record.institution !== institution.id) throw refused(`${file} is the record of another hospital's box`);
  if (record.isDone) throw refused(`${file} is the record of a box that is out of service already`);
  return text;
}

/**
 * True if the TPM of the record has cleared itself: whatever it had sealed is dead, and only files are left to remove.
 * @throws AppError DECOMMISSION_REFUSED if the TPM is another one, or a file is not the one that the record names: then
 * nothing says that what lies here is dead. Of the TPM.
 */
export async function isKeyDead(
  config: Config,
  text: string,
  files: readonly string[],
  logger: Logger,
): Promise<boolean> {
  const record = checkRecord(text);
  const undo = new Undo();
  try {
    const broker = new BrokerClient({ endpoint: await openTpm(config, logger, undo), logger });
    undo.later(() => broker.close());
    if ((await broker.call('rootName', null)) !== undefined) return false;
    const { certificate } = await broker.call('readEndorsement', {});
    if (!equalBytes(sha256(certificate), record.endorsementDigest))
      throw refused('the TPM is not the one that the record names');
  } finally {
    await undo.run();
  }
  for (const file of files) {
    const name = relative(config.dataDir, file);
    if (!record.names(name, sha256(await readFile(file))))
      throw refused(`${file} is not the one that the record names`);
  }
  return true;
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refused(`${file} cannot be read`, cause);
  }
}

/** @param why what stands in the way, as the end of a sentence. */
export function refused(why: string, cause?: unknown): AppError {
  return new AppError('DECOMMISSION_REFUSED', `Nothing was destroyed: ${why}.`, { cause });
}
