/** Room on the disk for one object, held while it is written. */
import { AppError } from '../errors.ts';

export interface HeldRoom {
  /** Before so many more bytes are written: they may be when this resolves. @throws AppError DISK_LOW. */
  take(bytes: number): Promise<void> | undefined;
  /** The object is on disk, or given up. Once. */
  end(): void;
}

export interface RoomForObjects {
  /** Room for a new object of unknown size. @throws AppError DISK_LOW. */
  begin(): Promise<HeldRoom>;
  /** A write failed: the disk may be fuller than it was thought to be. */
  failed(): void;
}

/** Writes an object that has no sink of its own, as far as there is room for it. @throws AppError DISK_LOW, or what `write` throws. */
export async function writeWithRoom<Result>(
  disk: RoomForObjects,
  write: (room: Pick<HeldRoom, 'take'>) => Promise<Result>,
): Promise<Result> {
  const room = await disk.begin();
  try {
    return await write(room);
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORE_FAILED') disk.failed();
    throw error;
  } finally {
    room.end();
  }
}
