/** A start that takes long says how far it has come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readingToldMs } from '../../firmware/src/box/limits.ts';
import { ReadingProgress } from '../../firmware/src/box/reading-progress.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';

/** A box with so many studies of one object each starts, and takes so long for each. */
async function started(studies: number, eachMs: number): Promise<readonly string[]> {
  const reception = new Reception();
  for (let n = 1; n <= studies; n++) {
    const uids = { studyInstanceUid: `1.2.${n}`, sopInstanceUid: `1.2.3.${n}` };
    await reception.send(plainDataSet({ ...header, ...uids }), {
      as: { ...request, sopInstanceUid: uids.sopInstanceUid },
    });
  }
  const { clock, logger } = reception;
  const before = logger.lines.length;
  const catalogue = new Catalogue(new MemoryObjectStore(reception.disk));
  await catalogue.load(
    () => {
      clock.advance(eachMs);
      return undefined;
    },
    new ReadingProgress(clock, logger),
  );
  assert.equal(catalogue.studies().length, studies);
  return logger.lines.slice(before);
}

test('a long start tells at intervals how many studies and objects are read, and of how many', async () => {
  const lines = await started(5, readingToldMs / 2);
  assert.deepEqual(lines, [
    'info the studies that are held are being read {"read":2,"of":5,"objects":2}',
    'info the studies that are held are being read {"read":4,"of":5,"objects":4}',
  ]);
});

test('a usual start says nothing of it', async () => {
  assert.deepEqual(await started(5, readingToldMs / 10), []);
});
