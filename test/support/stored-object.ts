/** What a store holds of an object, read back. */
import type { StoredObject, StudyFolder } from '../../firmware/src/ports.ts';

/** All of its bytes. @throws AppError STORE_CORRUPT. */
export async function readStored(study: StudyFolder, object: StoredObject): Promise<Buffer> {
  const reader = await study.openObject(object);
  try {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < reader.segmentCount; index++) parts.push(await reader.segment(index));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}
