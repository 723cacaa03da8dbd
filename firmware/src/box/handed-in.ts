/** The record that this institution handed in last, kept in the data folder. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { parseInstitution } from '../ledger/index.ts';
import type { Institution } from '../ledger/types.ts';

/** The box attests to it until it stands on the ledger. */
export const enrolmentFile = 'enrolment.json';

/** @throws AppError BOX_NOT_ON_LEDGER if it was never enrolled, STORE_CORRUPT. */
export async function handedIn({
  dataDir,
  institution,
}: Pick<Config, 'dataDir' | 'institution'>): Promise<Institution> {
  const path = join(dataDir, enrolmentFile);
  let json: string;
  try {
    json = await readFile(path, 'utf8');
  } catch (cause) {
    throw new AppError('BOX_NOT_ON_LEDGER', `${institution.id} was not enrolled: there is no ${path}.`, {
      cause,
    });
  }
  const parsed = parseInstitution(json);
  if (parsed.kind === 'read') return parsed.institution;
  throw new AppError('STORE_CORRUPT', `${path} is no record of an institution: ${parsed.reason}.`);
}

/** Undefined if the record is gone: what stands on the ledger needs it no more. @throws AppError STORE_CORRUPT. */
export async function handedInBefore(
  config: Pick<Config, 'dataDir' | 'institution'>,
): Promise<Institution | undefined> {
  return existsSync(join(config.dataDir, enrolmentFile)) ? handedIn(config) : undefined;
}
