/** What a box does between modality and disk, over a folder: the same in a process that is killed and in its judge. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import type { ObjectStore } from '../../firmware/src/ports.ts';
import { nodeFileSystem } from '../../firmware/src/store/file-system.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { ampleDisk } from './ample-room.ts';
import { systemClock } from './manual-clock.ts';
import { digestPlainPixels, openPlainScanner, plainDataSet } from './plain-data-set.ts';

const sopClassUid = '1.2.840.10008.5.1.4.1.1.2';
const transferSyntaxUid = '1.2.840.10008.1.2.1';

/** An object that was answered 0x0000. */
export interface Acknowledged {
  readonly sopInstanceUid: string;
  /** SHA-256 of its data set. */
  readonly sha256: string;
}

export class StoringBox {
  readonly catalogue: Catalogue;
  readonly #store: StudyStore;
  readonly #keeper: Keeper;

  private constructor(store: StudyStore, quarantine: ObjectStore) {
    this.#store = store;
    this.catalogue = new Catalogue(store);
    const common = { health: new MemoryHealthBoard(), clock: systemClock, logger: silentLogger };
    this.#keeper = new Keeper({
      ...common,
      catalogue: this.catalogue,
      quarantine: new Quarantine({ ...common, store: quarantine }),
      disk: ampleDisk,
      openHeaderScanner: openPlainScanner,
      digestPixels: digestPlainPixels,
    });
  }

  static async open(folder: string, boxKey: Uint8Array, files = nodeFileSystem): Promise<StoringBox> {
    const quarantine = new StudyStore({ folder: join(folder, 'quarantine'), boxKey, files });
    const box = new StoringBox(new StudyStore({ folder, boxKey, files }), quarantine);
    await box.catalogue.load(() => undefined);
    return box;
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Resolves when it is acknowledged. */
  async keep(studyInstanceUid: string, sopInstanceUid: string, body: Uint8Array): Promise<Acknowledged> {
    const dataSet = plainDataSet(
      { studyInstanceUid, sopInstanceUid, seriesInstanceUid: `${studyInstanceUid}.1`, modality: 'CT' },
      body,
    );
    const sink = this.#keeper.receive({
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUid,
      callingAeTitle: 'CT_1',
      remoteAddress: '192.0.2.7',
    });
    for (let at = 0; at < dataSet.length; at += 65_536) await sink.write(dataSet.subarray(at, at + 65_536));
    const { status } = await sink.finish();
    if (status !== 0) throw new Error(`answered with status ${status}`);
    return { sopInstanceUid, sha256: createHash('sha256').update(dataSet).digest('hex') };
  }

  /** SHA-256 of a listed object's data set, read from its file. @throws AppError STORE_CORRUPT. */
  async sha256Of(study: KeptStudy, object: ObjectKept): Promise<string> {
    const hash = createHash('sha256');
    const prefixBytes = 12 + transferSyntaxUid.length + sopClassUid.length + object.sopInstanceUid.length;
    const reader = await study.folder.openObject(KeptStudy.stored(object));
    try {
      for (let index = 0; index < reader.segmentCount; index++)
        hash.update((await reader.segment(index)).subarray(index === 0 ? prefixBytes : 0));
    } finally {
      await reader.close();
    }
    return hash.digest('hex');
  }
}
