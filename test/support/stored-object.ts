/** What a store holds of an object, read back. */
import type { ObjectReader, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';

/** All of its bytes. @throws AppError STORE_CORRUPT. */
export async function readStored(study: StudyFolder, object: StoredObject): Promise<Buffer> {
  return readToEnd(await study.openObject(object));
}

/** The same of a reader, which is closed then, also where it fails. @throws AppError STORE_CORRUPT. */
export async function readToEnd(
  reader: Pick<ObjectReader, 'segmentCount' | 'segment' | 'close'>,
): Promise<Buffer> {
  try {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < reader.segmentCount; index++) parts.push(await reader.segment(index));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}
