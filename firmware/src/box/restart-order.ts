/** A restart order on its way from its signers to this box: the file that `hilum restart` leaves in the data folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { SignedRestartOrder } from '../restart/restart-order.ts';
import { decodeRestartOrder } from '../restart/restart-order.ts';
import { writeFileAtomically } from '../store/data-folder.ts';

const fileName = 'restart.order';

/**
 * Puts the order where the box finds it at its next start, and says what it orders. Whether enough roots have signed is
 * judged by the box, which knows them. @throws AppError RESTART_INVALID if the file is none.
 */
export async function bringRestartOrder(config: Pick<Config, 'dataDir'>, path: string): Promise<string[]> {
  const bytes = await readOrder(path);
  const { order, signatures } = decoded(bytes, path);
  const signers = new Set(signatures.map(({ institution }) => institution));
  await writeFileAtomically(config.dataDir, fileName, bytes);
  return [
    `Epoch ${order.epoch} goes on from block ${order.height} (${toHex(order.digest)}).`,
    `No vote counts up to view ${order.floor}; ${order.abstaining.join(', ')} vote anew after it.`,
    `Signed by the offline roots of ${[...signers].join(', ')}.`,
    'Start the box anew: it takes the order if these are enough, and brings it to the others.',
  ];
}

/** For the validator; undefined if none was brought. @throws AppError RESTART_INVALID if it cannot be read. */
export async function broughtRestartOrder(config: Pick<Config, 'dataDir'>): Promise<Uint8Array | undefined> {
  const path = join(config.dataDir, fileName);
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new AppError('RESTART_INVALID', `the restart order ${path} cannot be read`, { cause });
  }
}

async function readOrder(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new AppError('RESTART_INVALID', `the file ${path} cannot be read`, { cause });
  }
}

function decoded(bytes: Uint8Array, path: string): SignedRestartOrder {
  try {
    return decodeRestartOrder(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AppError('RESTART_INVALID', `the file ${path} is no restart order: ${cause.message}`, {
      cause,
    });
  }
}
