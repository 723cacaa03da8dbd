/** What a hospital does when its box cannot open its keys any more: docs/runbooks/recovery.md. The box itself is stopped. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  joinRecoveryCode,
  recoverableFile,
  rescuableKeys,
  rescueKeys,
  restoreKeys,
  type RecoveryCodeRefusal,
  type TpmEndpoint,
} from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { claimDataFolder } from '../store/data-folder.ts';
import { opensAny } from '../store/rewrap.ts';
import { keysFileOf, openTpm, readRescueKey } from './device-keys.ts';
import { wrappedIn } from './erasure.ts';
import { openLog } from './pino-log.ts';
import type { Terminal } from './terminal.ts';
import { Undo } from './undo.ts';

/** Beside the keys file: taken to the offline key on a stick, and brought back. */
const challengeName = 'rescue-challenge';
const signatureName = 'rescue-signature';

function refusalWords(refusal: RecoveryCodeRefusal): string {
  switch (refusal.kind) {
    case 'form':
      return `half ${refusal.half} has not twenty groups of four of 0 to 9 and a to f`;
    case 'checksum':
      return `half ${refusal.half} has a typing error`;
    case 'same half':
      return 'this was the same half twice';
    case 'other pair':
      return 'these are halves of two different codes';
  }
}

/** Each custodian types his half alone: it is gone from the screen before the other one comes. */
async function askCode(terminal: Terminal): Promise<Uint8Array> {
  const askHalf = async (question: string): Promise<string> => {
    const half = await terminal.ask(question);
    terminal.clear();
    return half;
  };
  const joined = joinRecoveryCode(
    await askHalf('First half of the recovery code'),
    await askHalf('Second half of the recovery code'),
  );
  if (joined.kind !== 'code') throw new AppError('RECOVERY_REFUSED', refusalWords(joined));
  return joined.code;
}

async function withTpm(
  config: Config,
  act: (endpoint: TpmEndpoint, logger: Logger) => Promise<void>,
): Promise<void> {
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(config.dataDir));
    const logger = openLog(config).child({ room: 'tpm' });
    await act(await openTpm(config, logger, undo), logger);
  } finally {
    await undo.run();
  }
}

async function signOffline(dataDir: string, message: Uint8Array, terminal: Terminal): Promise<Uint8Array> {
  const challenge = join(dataDir, challengeName);
  const signature = join(dataDir, signatureName);
  await rm(signature, { force: true }); // of an earlier rescue: it would not do for this one
  await writeFile(challenge, message, { mode: 0o600 });
  terminal.tell(`Sign ${challenge} with the offline rescue key and put the signature at ${signature}:`);
  terminal.tell(`  openssl dgst -sha256 -sign rescue-key.pem -out ${signatureName} ${challengeName}`);
  await terminal.ask('Press Enter when it is there');
  try {
    return await readFile(signature);
  } catch (cause) {
    throw new AppError('RECOVERY_REFUSED', `there is no signature at ${signature}`, { cause });
  } finally {
    await rm(challenge, { force: true });
  }
}

/** Approves the firmware that runs now. @throws AppError as rescueKeys. */
export async function rescue(config: Config, terminal: Terminal): Promise<void> {
  await rescuableKeys(keysFileOf(config));
  const code = await askCode(terminal);
  await withTpm(config, async (endpoint, logger) => {
    const sign = (message: Uint8Array): Promise<Uint8Array> => signOffline(config.dataDir, message, terminal);
    await rescueKeys({ endpoint, keysFile: keysFileOf(config), logger, code, sign });
  });
  terminal.tell('The firmware that runs now is approved. Start the box.');
}

/** Makes new keys on this TPM around what was recovered. @throws AppError as restoreKeys. */
export async function restore(config: Config, terminal: Terminal): Promise<void> {
  await recoverableFile(keysFileOf(config));
  const code = await askCode(terminal);
  const rescueKey = readRescueKey(config);
  await withTpm(config, (endpoint, logger) =>
    restoreKeys({
      endpoint,
      keysFile: keysFileOf(config),
      institutionId: config.institution.id,
      logger,
      code,
      fits: (boxKeys) => opensAny(wrappedIn(config.dataDir), boxKeys),
      ...(rescueKey && { rescueKey }),
    }),
  );
  terminal.tell("The keys are made anew; the patients' data and the recovery code are the same.");
  terminal.tell(
    "Now write the enrolment record (hilum enrol) and have the institution's offline root name this box.",
  );
}
