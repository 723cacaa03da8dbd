/** What an institution gives to the consortium: its name, its certified keys, its account and where it is reached. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Config } from '../config.ts';
import { fromHex, utf8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import {
  chainId,
  formatInstitution,
  isPrimeOrderKey,
  keysMessage,
  noChain,
  nobody,
  provePossession,
} from '../ledger/index.ts';
import type { ChainId, Genesis, Institution, KeyQuorum } from '../ledger/types.ts';
import type { Clock, DeviceKeys } from '../ports.ts';
import { keysValidMs } from '../rotation/limits.ts';
import { deriveAccount, type Account } from '../protocol/accounts.ts';
import { claimDataFolder, writeFileAtomically } from '../store/data-folder.ts';
import type { CodeCustody } from './code-custody.ts';
import { openKeys } from './device-keys.ts';
import { readGenesis } from './genesis-file.ts';
import { assertGenesisFits } from './genesis-fit.ts';
import { enrolmentFile, handedInBefore } from './handed-in.ts';
import { openLog } from './pino-log.ts';
import { systemClock } from './system-clock.ts';
import { eventLogFault } from './tpm-watch.ts';
import { Undo } from './undo.ts';
import { newestKey } from './working-keys.ts';

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

/**
 * The record that goes into the genesis file, or, with the `chain` of a consortium that there is already, into a proposal
 * to admit it: its three keys certified by the identity key in the TPM, each of them signing that it is this institution's.
 */
async function enrolmentRecord(
  config: Config,
  keys: DeviceKeys,
  clock: Clock,
  chain: ChainId,
): Promise<Institution> {
  const { id, name } = config.institution;
  const account = institutionAccount(config, keys);
  const voting = await newestKey(keys.voting);
  const transaction = await newestKey(keys.transaction);
  const transport = await newestKey(keys.transport);
  const working = {
    voting: voting.publicKey,
    transaction: transaction.publicKey,
    transport: transport.publicKey,
    identity: keys.identityPublicKey,
    device: {
      attestationKey: keys.attester.attestationName,
      endorsement: keys.attester.endorsementDigest,
    },
    expiry: clock.now() + keysValidMs,
  };
  return {
    id,
    name,
    keys: {
      ...working,
      certificate: await keys.signWithIdentity(keysMessage(id, working)),
      possession: provePossession(chain, id, working, { voting, transaction, transport }),
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

/** That of the genesis file, where there is one: a box that enrols for the genesis document has none yet. */
async function genesisToJoin({ genesisFile }: Config): Promise<Genesis | undefined> {
  return genesisFile === undefined || !existsSync(genesisFile) ? undefined : readGenesis(genesisFile);
}

/**
 * Makes the box's keys if it has none, and writes the record to this file.
 * @returns what will keep members from believing this box, as it stands now.
 */
export async function enrol(
  config: Config,
  path: string,
  custody: CodeCustody,
): Promise<AppError | undefined> {
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(config.dataDir));
    const keys = await openKeys(config, systemClock, openLog(config), custody, undo);
    const genesis = await genesisToJoin(config);
    if (genesis !== undefined) await assertGenesisFits(genesis, config, keys, () => handedInBefore(config));
    const chain = genesis === undefined ? noChain : chainId(genesis);
    const record = await enrolmentRecord(config, keys, systemClock, chain);
    const text = utf8(formatInstitution(record));
    await writeFileAtomically(config.dataDir, enrolmentFile, text);
    await writeFileAtomically(dirname(path), basename(path), text);
    return await eventLogFault(keys.attester);
  } finally {
    await undo.run();
  }
}
