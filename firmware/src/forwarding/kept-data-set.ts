import { AppError } from '../errors.ts';
import { parseInstancePrefix } from '../protocol/instance-prefix.ts';
import { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';

/** The data set as it was received, from disk, verified segment by segment. @throws AppError STORE_CORRUPT. */
export async function* keptDataSet(study: KeptStudy, object: ObjectKept): AsyncIterable<Uint8Array> {
  const reader = await study.folder.openObject(KeptStudy.stored(object));
  try {
    for (let index = 0; index < reader.segmentCount; index++) {
      const segment = await reader.segment(index);
      if (index > 0) {
        yield segment;
        continue;
      }
      const begin = parseInstancePrefix(segment);
      if (begin === undefined)
        throw new AppError('STORE_CORRUPT', `An object of study ${study.ref} has no identity.`);
      yield segment.subarray(begin.dataSetOffset);
    }
  } finally {
    await reader.close();
  }
}
