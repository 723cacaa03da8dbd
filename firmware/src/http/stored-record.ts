/** Records of this room in the box's store: JSON in UTF-8, checked against a schema when they are read. */
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { AppError } from '../errors.ts';
import type { KeyValueStore } from '../ports.ts';

export function encodeRecord(record: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** @throws AppError STORE_CORRUPT, naming the key, if the value is not such a record. */
export function decodeRecord<Schema extends TSchema>(
  schema: Schema,
  key: string,
  value: Uint8Array,
): Static<Schema> {
  let record: unknown;
  try {
    record = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `the record ${key} of the console is unreadable`, { cause });
  }
  if (!Value.Check(schema, record)) {
    throw new AppError('STORE_CORRUPT', `the record ${key} of the console has an unknown form`);
  }
  return record;
}

/** All records under a prefix. @throws AppError STORE_CORRUPT. */
export async function listRecords<Schema extends TSchema>(
  store: KeyValueStore,
  schema: Schema,
  prefix: string,
): Promise<readonly Static<Schema>[]> {
  const records: Static<Schema>[] = [];
  for await (const [key, value] of store.list(prefix)) records.push(decodeRecord(schema, key, value));
  return records;
}
