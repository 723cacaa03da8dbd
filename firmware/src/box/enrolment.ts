/** What an institution gives to the consortium: its name, its certified keys, its account and where it is reached. */
import { dirname, basename } from 'node:path';
import type { Config } from '../config.ts';
import { fromHex, utf8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { formatInstitution, isPrimeOrderKey, keysMessage, nobody } from '../ledger/index.ts';
import type { Institution, KeyQuorum } from '../ledger/types.ts';
import type { Clock, DeviceKeys } from '../ports.ts';
import { deriveAccount, type Account } from '../protocol/accounts.ts';
import { claimDataFolder, writeFileAtomically } from '../store/data-folder.ts';
import { openKeys } from './foundation.ts';
import { openLog } from './pino-log.ts';
import { systemClock } from './system-clock.ts';
import { Undo } from './undo.ts';
import { newestKey } from './working-keys.ts';

/** Certified keys expire after two years; rotation before that is an act of an administrator. */
const keysValidMs = 2 * 365 * 86_400_000;

export function institutionAccount(config: Config, keys: DeviceKeys): Account {
  return deriveAccount(keys.accountSeed, config.institution.id);
}

/** @throws AppError CONFIG_INVALID if so many keys cannot sign together. */
function offlineRoot({ institution: { root } }: Config): KeyQuorum {
  if (root === undefined) return nobody;
  const keys = root.keys.map(fromHex);
  const { threshold } = root;
  if (threshold > keys.length) {
    throw new AppError(
      'CONFIG_INVALID',
      'Configuration: institution.root.threshold: more than there are keys.',
    );
  }
  if (!keys.every(isPrimeOrderKey)) {
    throw new AppError(
      'CONFIG_INVALID',
      'Configuration: institution.root.keys: one is no Ed25519 public key.',
    );
  }
  return { keys, threshold };
}

/** The record that goes into the genesis file, its three keys certified by the identity key in the TPM. */
async function enrolmentRecord(config: Config, keys: DeviceKeys, clock: Clock): Promise<Institution> {
  const { id, name } = config.institution;
  const account = institutionAccount(config, keys);
  const working = {
    voting: (await newestKey(keys.voting)).publicKey,
    transaction: (await newestKey(keys.transaction)).publicKey,
    transport: (await newestKey(keys.transport)).publicKey,
    expiry: clock.now() + keysValidMs,
  };
  return {
    id,
    name,
    keys: {
      ...working,
      identity: keys.identityPublicKey,
      certificate: await keys.signWithIdentity(keysMessage(id, working)),
    },
    account: { spend: account.spend.publicKey, view: account.view },
    endpoints: {
      p2p: config.p2p.listen,
      plane: `${config.plane.host}:${config.plane.port}`,
      https: `https://${config.console.host}:${config.console.port}`,
    },
    root: offlineRoot(config),
  };
}

/** Makes the box's keys if it has none, and writes the record to this file. */
export async function enrol(config: Config, path: string): Promise<void> {
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(config.dataDir));
    const keys = await openKeys(config, systemClock, openLog(config), undo);
    const record = await enrolmentRecord(config, keys, systemClock);
    await writeFileAtomically(dirname(path), basename(path), utf8(formatInstitution(record)));
  } finally {
    await undo.run();
  }
}
