/**
 * The two steps of an update that the running firmware takes: it approves its successor, and a successor that has proved
 * itself is confirmed (docs/runbooks/firmware.md). The box itself is stopped: what acts is the firmware that was booted.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { boundRegisters, ownDevelopmentRegisters, type OpenDeviceKeys } from '../../tpm/index.ts';
import { isNamed, isOfRelease } from '../attestation/named-registers.ts';
import type { Config } from '../config.ts';
import { equalBytes, toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import {
  parametersRecord,
  releaseRecord,
  releasesRecord,
  stateKeys,
  toReleaseDigest,
} from '../ledger/index.ts';
import type { FirmwareStanding, Logger } from '../ports.ts';
import { claimDataFolder } from '../store/data-folder.ts';
import { nobodysCustody } from './code-custody.ts';
import { keysFileOf, openKeys } from './device-keys.ts';
import { readGenesis } from './genesis-file.ts';
import { readLedgerOnDisk, type ReadSaved } from './ledger-on-disk.ts';
import { formatMeasuredFirmware, parseMeasuredFirmware } from './measured-firmware.ts';
import { openLog } from './pino-log.ts';
import { systemClock } from './system-clock.ts';
import { Undo } from './undo.ts';

/** What the consortium takes, as far as this box has the ledger. */
interface Accepted {
  /** Simulators: what the consortium has named none of may be anything. */
  readonly development: boolean;
  readonly bootAuthorities: readonly Uint8Array[];
  readonly releases: readonly Uint8Array[];
}

async function acceptedReleases(saved: ReadSaved): Promise<readonly Uint8Array[]> {
  const listed = (await saved(releasesRecord, stateKeys.releases))?.record?.digests ?? [];
  const accepted: Uint8Array[] = [];
  for (const digest of listed) {
    const release = (await saved(releaseRecord, stateKeys.release(toReleaseDigest(digest))))?.record;
    if (release !== undefined && release.acceptedAt !== null) accepted.push(digest);
  }
  return accepted;
}

/** Undefined for a box in no consortium: nobody but its hospital judges its firmware. */
async function acceptedBy({ dataDir, genesisFile }: Config): Promise<Accepted | undefined> {
  if (genesisFile === undefined) return undefined;
  const { development, parameters: first } = await readGenesis(genesisFile);
  return readLedgerOnDisk(dataDir, async (saved) => {
    const { bootAuthorities } = (await saved(parametersRecord, stateKeys.parameters))?.record ?? first;
    return { development, bootAuthorities, releases: await acceptedReleases(saved) };
  });
}

/** Why the members would not take a box with these registers; undefined if they would. */
function objection(
  { development, bootAuthorities, releases }: Accepted,
  authority: Uint8Array,
  firmware: Uint8Array,
): string | undefined {
  const mayBeAnything = (list: readonly Uint8Array[]): boolean => development && list.length === 0;
  if (!mayBeAnything(bootAuthorities) && !isNamed(authority, bootAuthorities))
    return `PCR 7 would begin with ${told(authority)}, a boot authority that the consortium does not name`;
  if (!mayBeAnything(releases) && !isOfRelease(firmware, releases))
    return `PCR 11 would begin with ${told(firmware)}, which is no release that the consortium accepted`;
  return undefined;
}

const told = (value: Uint8Array): string => toHex(value).slice(0, 16);

async function withKeys<T>(config: Config, act: (keys: OpenDeviceKeys) => Promise<T>): Promise<T> {
  if (!existsSync(keysFileOf(config))) throw refused(`${config.dataDir} holds no keys of a box`);
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(config.dataDir));
    const logger = openLog(config).child({ room: 'tpm' });
    return await act(await openKeys(config, systemClock, logger, nobodysCustody(config, logger), undo));
  } finally {
    await undo.run();
  }
}

async function readMeasured(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw refused(`${file} cannot be read`, cause);
  }
}

/**
 * Lets the firmware that is measured like this open the keys besides the running one. What opens the keys here is the
 * approved firmware itself, and it asks its ledger whether the members take the next one.
 * @returns what was done, for the person. @throws AppError FIRMWARE_REFUSED, or of TPM and store.
 */
export async function approveFirmware(config: Config, file: string): Promise<string> {
  const measured = parseMeasuredFirmware(await readMeasured(file));
  return withKeys(config, async (keys) => {
    const [authorityNow, firmwareNow] = (await keys.attester.readRegisters(boundRegisters)) as [
      Uint8Array,
      Uint8Array,
    ];
    const { authority = authorityNow, firmware } = measured;
    if (equalBytes(authority, authorityNow) && equalBytes(firmware, firmwareNow))
      throw refused('this is the firmware that runs');
    const accepted = await acceptedBy(config);
    const why = accepted && objection(accepted, authority, firmware);
    if (why !== undefined) throw refused(why);
    await keys.firmware.approveNext([authority, firmware]);
    return `The firmware with PCR 11 ${told(firmware)} may open the keys besides the running one. Start it; once it has proved itself, confirm it.`;
  });
}

const confirmedWords: Readonly<Record<FirmwareStanding, string>> = {
  alone: 'No other firmware than the running one was approved.',
  'update-waits': 'The running firmware stays; the update that was approved is taken back.',
  'on-trial': 'The running firmware is confirmed; the one before it never opens a key again.',
};

/** The running firmware alone opens the keys from now on. @returns what was done. @throws AppError of TPM and store. */
export function confirmFirmware(config: Config): Promise<string> {
  return withKeys(config, async ({ firmware }) => {
    const before = firmware.standing();
    await firmware.confirm();
    return confirmedWords[before];
  });
}

/** What `approveFirmware` takes, of the program that asks, on a software TPM: nobody else measures a box that is a folder. */
export async function measureFirmware(): Promise<string> {
  return formatMeasuredFirmware(boundRegisters, await ownDevelopmentRegisters(boundRegisters));
}

/** Told at each start, lest a trial be forgotten: until it ends the old firmware opens the keys, with its faults. */
export function tellTrial({ firmware }: Pick<OpenDeviceKeys, 'firmware'>, logger: Logger): void {
  const standing = firmware.standing();
  if (standing === 'on-trial')
    logger.warn({}, 'this firmware is on trial: confirm it, or start the one before it');
  if (standing === 'update-waits') logger.info({}, 'an update is approved that does not run yet');
}

function refused(what: string, cause?: unknown): AppError {
  return new AppError('FIRMWARE_REFUSED', `The firmware was not approved: ${what}.`, { cause });
}
