/**
 * The box key, and how another takes its place: whatever is left is wrapped under the new one, which the TPM opens up to
 * one more erasure; then the erasure counter takes a step, and the old one is dead in every copy of the disk. What was
 * wrapped under it and is not wrapped under the new one is erased.
 */
import type { BrokerClient } from '../broker/client.ts';
import type { ApprovedFirmwares } from './approved-firmware.ts';
import type { StoredKeys } from './keys-file.ts';
import type { KeysRecord } from './keys-record.ts';
import { makeBoxKey } from './provision.ts';
import { writeRecoveryFile } from './recovery-keeping.ts';

export interface BoxKeyModules {
  readonly broker: BrokerClient;
  readonly record: KeysRecord;
  readonly firmware: ApprovedFirmwares;
  readonly accountSeed: Uint8Array;
}

/** Wraps under the second key, durably, what is wrapped under the first or, by an earlier attempt, under the second. */
export type Rewrap = (boxKey: Uint8Array, nextBoxKey: Uint8Array) => Promise<void>;

/** True if a renewal was begun and not ended: keys may be wrapped under either. */
export function isRenewing({ nextBoxKey }: StoredKeys): boolean {
  return nextBoxKey !== undefined;
}

/** @returns the new box key. After a fault or a power cut it is done again, with the same new key. */
export async function renewBoxKey(
  { broker, record, firmware, accountSeed }: BoxKeyModules,
  boxKey: Uint8Array,
  rewrap: Rewrap,
): Promise<Uint8Array> {
  const next = record.stored.nextBoxKey ?? (await beginRenewal(broker, record, firmware));
  const nextBoxKey = await broker.call('unseal', firmware.guardedBoxKey(next));
  // The TPM may die in between: the recovery code then opens what is wrapped under either.
  await writeRecoveryFile(record.file, record.stored, { boxKey, nextBoxKey, accountSeed });
  await rewrap(boxKey, nextBoxKey);
  await writeRecoveryFile(record.file, record.stored, { boxKey: nextBoxKey, accountSeed });
  await firmware.changeKeys(({ nextBoxKey: _, ...stored }) => ({ ...stored, boxKey: next }));
  await firmware.stepTo('erasures', next.erasuresMax);
  return nextBoxKey;
}

async function beginRenewal(
  broker: BrokerClient,
  record: KeysRecord,
  firmware: ApprovedFirmwares,
): Promise<StoredKeys['boxKey']> {
  const { rootName } = record.stored;
  const count = await broker.call('readCounter', { counter: 'erasures', rootName });
  const next = await makeBoxKey(broker, record.stored, count + 1);
  await firmware.changeKeys((stored) => ({ ...stored, nextBoxKey: next }));
  return next;
}
