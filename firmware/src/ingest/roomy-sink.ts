/** A sink that takes bytes only as far as the disk has room for them; beyond it the object is answered 0xA700. */
import { AppError } from '../errors.ts';
import type { StoreSink } from '../ports.ts';
import type { DiskRoom } from './disk-room.ts';

/**
 * Opens a sink with room for its object. @throws AppError DISK_LOW if there is none: nothing was opened then.
 */
export async function openWithRoom(
  disk: DiskRoom,
  open: () => StoreSink | Promise<StoreSink>,
): Promise<StoreSink> {
  const room = await disk.begin();
  /** Gives the room back when the sink has ended, and looks at the disk if that was the disk's fault. */
  const ending = async <Result>(ended: Promise<Result>): Promise<Result> => {
    try {
      return await ended;
    } catch (error) {
      if (error instanceof AppError && error.code === 'STORE_FAILED') disk.failed();
      throw error;
    } finally {
      room.end();
    }
  };
  let sink: StoreSink;
  try {
    sink = await open();
  } catch (error) {
    room.end();
    throw error;
  }
  return {
    write: (chunk) => {
      const waiting = room.take(chunk.length);
      return waiting === undefined ? sink.write(chunk) : waiting.then(() => sink.write(chunk));
    },
    finish: () => ending(sink.finish()),
    abort: (reason) => ending(sink.abort(reason)),
  };
}
