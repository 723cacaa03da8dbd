/** The data set of an object at rest: what follows the identity that stands before it. */
import { AppError } from '../errors.ts';
import type { ObjectReader } from '../ports.ts';
import { parseInstancePrefix } from '../protocol/instance-prefix.ts';
import { KeptStudy } from './kept-study.ts';
import type { ObjectKept } from './manifest.ts';

/** The data set as it was received, from disk, verified segment by segment. @throws AppError STORE_CORRUPT. */
export function keptDataSet(study: KeptStudy, object: ObjectKept): AsyncIterable<Uint8Array> {
  return dataSetIn(() => study.folder.openObject(KeptStudy.stored(object)));
}

/** The data set of an object that this opens. @throws AppError STORE_CORRUPT. */
export async function* dataSetIn(open: () => Promise<ObjectReader>): AsyncIterable<Uint8Array> {
  const reader = await open();
  try {
    for (let index = 0; index < reader.segmentCount; index++) {
      const segment = await reader.segment(index);
      if (index > 0) {
        yield segment;
        continue;
      }
      const begin = parseInstancePrefix(segment);
      if (begin === undefined) throw new AppError('STORE_CORRUPT', 'An object at rest has no identity.');
      yield segment.subarray(begin.dataSetOffset);
    }
  } finally {
    await reader.close();
  }
}
