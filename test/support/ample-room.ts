import type { RoomForObjects } from '../../firmware/src/ingest/object-room.ts';
import type { KeptRoom } from '../../firmware/src/release/study-receiver.ts';

/** A disk on which there is room for everything. */
export function ampleRoom(): Promise<KeptRoom> {
  return Promise.resolve({ take: () => undefined, end: () => undefined });
}

export const ampleDisk: RoomForObjects = { begin: ampleRoom, failed: () => undefined };
