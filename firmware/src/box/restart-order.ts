/** A restart order on its way from its signers to this box: the file that `hilum restart` leaves in the data folder. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { HealthBoard, Logger } from '../ports.ts';
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
  const forgetful = order.abstaining.map(({ institution }) => institution);
  await writeFileAtomically(config.dataDir, fileName, bytes);
  return [
    `Epoch ${order.epoch} goes on from block ${order.height} (${toHex(order.digest)}).`,
    `No vote counts up to view ${order.floor}; ${forgetful.join(', ')} vote anew after it.`,
    `Signed by the offline roots of ${[...signers].join(', ')}.`,
    'Start the box anew: it takes the order if these are enough, and brings it to the others.',
  ];
}

export interface BroughtOrder {
  readonly restartOrder: Uint8Array | undefined;
  readonly discardRestartOrder: () => Promise<void>;
}

/** For the validator. What cannot be read is an alarm, and none was brought: the box receives studies without it. */
export async function broughtRestartOrder({
  config,
  health,
  logger,
}: {
  readonly config: Pick<Config, 'dataDir'>;
  readonly health: HealthBoard;
  readonly logger: Logger;
}): Promise<BroughtOrder> {
  const path = join(config.dataDir, fileName);
  return { restartOrder: await read(), discardRestartOrder: discard };

  async function read(): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(path));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      logger.error({ err: error, path, code: 'RESTART_REFUSED' }, 'the restart order cannot be read');
      health.raise('RESTART_REFUSED', 'restart order', `The file ${path} cannot be read.`);
      return undefined;
    }
  }

  /** One that stays is found over at each start, and changes nothing. */
  async function discard(): Promise<void> {
    try {
      await rm(path, { force: true });
      logger.info({ path }, 'the restart order is taken or over, and was removed');
    } catch (error) {
      logger.warn({ err: error, path }, 'the restart order is taken or over, and could not be removed');
    }
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
