/** What every box stands on, member or not: its folder, its keys, its stores, the studies that it keeps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HeaderScans } from '../../dimse/index.ts';
import type { OpenDeviceKeys } from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { Quarantine } from '../ingest/quarantine.ts';
import type { Clock, Logger, OpenHeaderScanner } from '../ports.ts';
import { claimDataFolder, dataKey } from '../store/data-folder.ts';
import { EncryptedStore, LevelStore } from '../store/level-store.ts';
import { StudyStore } from '../store/study-store.ts';
import { Catalogue } from '../studies/catalogue.ts';
import type { DicomCertificates } from './dicom-certificates.ts';
import { nobodysCustody } from './code-custody.ts';
import { openKeys } from './device-keys.ts';
import { openCertificates } from './dicom-tls.ts';
import { renewBoxKey } from './erasure.ts';
import { tellTrial } from './firmware-approval.ts';
import { Health } from './health.ts';
import { openSealing } from './sealing.ts';
import type { Undo } from './undo.ts';

export interface Foundation {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: Health;
  readonly keys: OpenDeviceKeys;
  /** Rebuildable ledger state. */
  readonly ledgerStore: LevelStore;
  /** What the box must remember besides studies: accounts, bindings, receipts. Encrypted value by value. */
  readonly index: EncryptedStore;
  readonly studies: StudyStore;
  readonly catalogue: Catalogue;
  readonly quarantine: Quarantine;
  /** Of DICOM over TLS; undefined where that is not configured. */
  readonly certificates: DicomCertificates | undefined;
  readonly openHeaderScanner: OpenHeaderScanner;
}

/** Opens everything in order; `undo` closes what was opened, also after a fault half-way. */
export async function openFoundation(
  config: Config,
  clock: Clock,
  logger: Logger,
  undo: Undo,
): Promise<Foundation> {
  const { dataDir } = config;
  undo.later(await claimDataFolder(dataDir));
  const health = new Health(clock, logger);
  const tpmLogger = logger.child({ room: 'tpm' });
  const keys = await openKeys(config, clock, tpmLogger, nobodysCustody(config, tpmLogger), undo);
  tellTrial(keys, tpmLogger);

  if (keys.isRenewing) await renewBoxKey(dataDir, keys);

  const ledgerStore = await LevelStore.open(join(dataDir, 'ledger'));
  undo.later(() => ledgerStore.close());
  const indexFolder = join(dataDir, 'index');
  if (existsSync(indexFolder) && !existsSync(join(dataDir, 'index.key'))) {
    throw new AppError('STORE_CORRUPT', `The key of the index is missing in ${dataDir}.`);
  }
  const indexKey = await dataKey(dataDir, 'index', keys.boxKey);
  const indexStore = await LevelStore.open(indexFolder);
  undo.later(() => indexStore.close());

  const openSegment = openSealing(clock, logger.child({ room: 'store' }), undo);
  const studies = new StudyStore({ folder: join(dataDir, 'objects'), boxKey: keys.boxKey, openSegment });
  undo.later(() => studies.close());
  const setAside = new StudyStore({ folder: join(dataDir, 'quarantine'), boxKey: keys.boxKey, openSegment });
  undo.later(() => setAside.close());
  const room = logger.child({ room: 'ingest' });
  const quarantine = new Quarantine({ store: setAside, clock, logger: room, health });
  await quarantine.load();
  const index = new EncryptedStore(indexStore, indexKey);
  const headers = new HeaderScans({ clock, logger: logger.child({ room: 'dimse' }) });
  undo.later(() => headers.stop());
  return {
    config,
    clock,
    logger,
    health,
    keys,
    ledgerStore,
    index,
    studies,
    catalogue: new Catalogue(studies),
    quarantine,
    certificates: await openCertificates({ config, clock, logger, health }, undo),
    openHeaderScanner: headers.open,
  };
}
