/** A night without the PACS: a hundred thousand objects wait, cost memory by study, and all arrive once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import { newEntry, encodeEntry } from '../../firmware/src/forwarding/queue-entry.ts';
import type { FoundStudy, ObjectReader, ObjectStore, StudyFolder } from '../../firmware/src/ports.ts';
import { instancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { toRecord, type ObjectKept, type StudyCreated } from '../../firmware/src/studies/manifest.ts';
import { ct, explicitLittle, foreign, ForwardingScene } from '../support/forwarding-scene.ts';
import { settle, until } from '../support/until.ts';

const studiesHeld = 50;
const objectsEach = 2_000;
const empty = new Uint8Array(0);
const at = Date.UTC(2026, 0, 5);

/** As it lies on disk; its objects are all alike. */
function foundStudy(number: number): FoundStudy {
  const studyInstanceUid = `1.${number}`;
  const created: StudyCreated = {
    is: 'study',
    studyInstanceUid,
    salt: empty,
    origin: { kind: 'modality' },
    patient: foreign,
    callingAeTitle: 'CT1',
    date: '',
    description: '',
    at: at + number,
  };
  const object = (index: number): ObjectKept => ({
    is: 'object',
    number: index,
    fileRef: String(index),
    frame: null,
    length: 1,
    lastTag: empty,
    instanceKey: empty,
    leaves: empty,
    corrects: null,
    sopClassUid: ct,
    sopInstanceUid: `${studyInstanceUid}.${index}`,
    transferSyntaxUid: explicitLittle,
    callingAeTitle: 'CT1',
    header: {},
    at,
  });
  const objects = Array.from({ length: objectsEach }, (_, index) => object(index));
  return { folder: new ReadOnlyFolder(number), records: [created, ...objects].map(toRecord) };
}

class ReadOnlyFolder implements StudyFolder {
  readonly ref: string;

  constructor(number: number) {
    this.ref = number.toString(16).padStart(32, '0');
  }

  openObject(): Promise<ObjectReader> {
    const identity = { sopClassUid: ct, sopInstanceUid: '1', transferSyntaxUid: explicitLittle };
    const segment = Buffer.concat([instancePrefix(identity), Buffer.from('body')]);
    return Promise.resolve({
      segmentCount: 1,
      segment: () => Promise.resolve(segment),
      close: () => Promise.resolve(),
    });
  }

  createObject(): never {
    throw new Error('nothing is received here');
  }

  append(): never {
    throw new Error('nothing is received here');
  }

  rest(): Promise<void> {
    return Promise.resolve();
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }
}

const disk: ObjectStore = {
  open: async function* () {
    for (let number = 0; number < studiesHeld; number++) yield Promise.resolve(foundStudy(number));
  },
  createStudy: () => Promise.reject(new Error('nothing is received here')),
};

test('a hundred thousand objects wait and arrive, each once, with few writes and few associations', async () => {
  const scene = new ForwardingScene();
  scene.catalogue = new Catalogue(disk);
  await scene.catalogue.load(() => undefined);
  // Forwarding began before they came.
  const started = encodeEntry({ ...newEntry, at });
  await scene.store.write([
    { put: 'forwarding/began/pacs', value: started },
    { put: `forwarding/study/pacs/${'0'.repeat(32)}`, value: started },
  ]);
  scene.pacs.onOpen = () => {
    throw new AppError('DELIVERY_FAILED', 'PACS is not reachable');
  };
  let writes = 0;
  const write = scene.store.write.bind(scene.store);
  scene.store.write = (changes) => {
    writes++;
    return write(changes);
  };
  await scene.start();
  await settle();
  const total = studiesHeld * objectsEach;
  assert.deepEqual(scene.forwarding.destinations()[0]?.waiting, { studies: studiesHeld, objects: total });
  assert.equal(writes, 0, 'waiting is not written down: it stands in the manifests');
  scene.pacs.onOpen = () => undefined;
  scene.clock.advance(300_000);
  await until(() => scene.forwarding.destinations()[0]?.waiting.objects === 0, 'all');
  assert.equal(scene.pacs.uids.length, total);
  assert.equal(new Set(scene.pacs.uids).size, total);
  assert.equal(scene.pacs.proposals.length, 2);
  await scene.forwarding.stop();
  assert.ok(writes < 10, `${writes} writes`);
});
