/** A bulk registration in the state, under `batch/<source>/<batch>`: all that the state keeps of it. */
import { bytesField, integerField, mapField, timeField } from '../fields.ts';
import { bulkEntriesMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export interface BatchRecord {
  /** RFC 9162 Merkle tree hash over the entries (leaf.ts). */
  readonly root: Uint8Array;
  readonly count: number;
  readonly ephemeral: Uint8Array;
  readonly registeredAt: number;
}

export const batchRecord = recordFormat<BatchRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'batch', ['root', 'count', 'ephemeral', 'registeredAt']);
    return {
      root: bytesField(map.root, 'root', 32),
      count: integerField(map.count, 'count', 1, bulkEntriesMax),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      registeredAt: timeField(map.registeredAt, 'registeredAt'),
    };
  },
);
