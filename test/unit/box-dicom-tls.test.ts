/** Associations that a box opens over TLS: to destinations, department system and modalities, with the newest certificate. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { destinationsOf } from '../../firmware/src/box/destinations.ts';
import type { DicomCertificates } from '../../firmware/src/box/dicom-certificates.ts';
import { callBackOf, openCertificates, tlsDestination } from '../../firmware/src/box/dicom-tls.ts';
import { Health } from '../../firmware/src/box/health.ts';
import { certificateLookMs } from '../../firmware/src/box/limits.ts';
import { Undo } from '../../firmware/src/box/undo.ts';
import { openWorkflow } from '../../firmware/src/box/workflow.ts';
import { type Config, decodeConfig } from '../../firmware/src/config.ts';
import {
  commitmentResultService,
  type DicomServer,
  procedureStepService,
  uids,
} from '../../firmware/dimse/index.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import type { CommitmentResult } from '../../firmware/src/ports.ts';
import { EncryptedStore } from '../../firmware/src/store/level-store.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { CertificateAuthority } from '../support/certificate-authority.ts';
import { ctImageStorage, makeScp, MemoryStore } from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';
import { commitment, opened } from '../support/dimse-service-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore as MemoryKeyValues } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { until } from '../support/until.ts';

const options = { timeout: 30_000 };
const plain = { dataDir: '/nowhere', institution: { id: 'north', name: 'North' } };

/** Whoever else there is in the hospital, on one port with TLS: archive, department system, modality. */
class Hospital {
  /** Common names of the certificates that it was shown. */
  readonly shown: (string | undefined)[] = [];
  readonly results: CommitmentResult[] = [];
  readonly steps: string[] = [];
  readonly #scp: DicomServer = makeScp(new MemoryStore().store, {
    tlsPort: 0,
    aeTitles: 'any',
    admit: ({ certificate }) => {
      this.shown.push(certificate?.commonName);
      return { may: new Set(['store', 'commitment', 'procedure-step']) };
    },
    services: [
      commitmentResultService(async (result) => void this.results.push(result)),
      procedureStepService(async ({ sopInstanceUid }) => {
        this.steps.push(sopInstanceUid);
        return 'done';
      }),
    ],
  });

  static async start(authority: CertificateAuthority): Promise<Hospital> {
    const hospital = new Hospital();
    await hospital.#scp.start();
    running.push(hospital.#scp);
    const own = await authority.issue({ commonName: 'hospital' });
    await hospital.#scp.useTls({ ...own, ca: [authority.certificate] });
    return hospital;
  }

  get reachedAt(): { readonly host: string; readonly port: number; readonly tls: true } {
    const { tlsPort } = this.#scp;
    assert(tlsPort !== undefined);
    return { host: '127.0.0.1', port: tlsPort, tls: true };
  }
}

/** What of a box opens associations. */
class Box {
  readonly folder: string;
  readonly clock = new ManualClock(Date.now());
  readonly logger = new RecordingLogger();
  readonly health = new Health(this.clock, this.logger);
  readonly #undo = new Undo();

  constructor(folder: string) {
    this.folder = folder;
  }

  static async make(t: TestContext): Promise<Box> {
    const box = new Box(await mkdtemp(join(tmpdir(), 'hilum-box-tls-')));
    t.after(async () => {
      await box.#undo.run();
      await rm(box.folder, { recursive: true });
    });
    return box;
  }

  config(part: object): Config {
    const tls = { port: 2762, certificateFile: 'box.pem', keyFile: 'box.key', caFiles: ['ca.pem'] };
    return decodeConfig({ ...plain, dicom: { tls }, ...part }, this.folder);
  }

  async certificates(config: Config): Promise<DicomCertificates> {
    const certificates = await openCertificates({ ...this, config }, this.#undo);
    assert(certificates !== undefined);
    return certificates;
  }

  /** In one step each, as whoever renews certificates does. */
  async put(authority: CertificateAuthority, commonName: string): Promise<void> {
    const { certificate, key } = await authority.issue({ commonName });
    const files = { 'ca.pem': authority.certificate, 'box.key': key, 'box.pem': certificate };
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(this.folder, '.new'), text);
      await rename(join(this.folder, '.new'), join(this.folder, name));
    }
  }

  later(stop: () => Promise<void>): void {
    this.#undo.later(stop);
  }
}

test('each association shows the certificate that is in use then', options, async (t) => {
  const authority = await CertificateAuthority.make();
  const hospital = await Hospital.start(authority);
  const box = await Box.make(t);
  await box.put(authority, 'box, first');
  const config = box.config({
    destinations: [{ name: 'archive', aeTitle: 'ARCHIVE', ...hospital.reachedAt }],
    procedureSteps: { aeTitle: 'RIS', ...hospital.reachedAt },
  });
  const certificates = await box.certificates(config);
  const index = new EncryptedStore(new MemoryKeyValues(), randomBytes(32));
  const catalogue = new Catalogue(new MemoryObjectStore());
  const quarantine = new Quarantine({ ...box, store: new MemoryObjectStore() });
  const workflow = await openWorkflow(
    { ...box, config, certificates, index, catalogue, quarantine },
    { reachedAt: () => hospital.reachedAt },
  );
  await workflow.start((service) => {
    box.later(() => service.stop());
    return service.start();
  });
  const [archive] = destinationsOf({ ...box, config, certificates });
  const port = await started(new MemoryStore(), { services: workflow.services });
  const contexts = [commitment, uids.procedureStepSopClass].map((abstractSyntax) => ({
    abstractSyntax,
    transferSyntaxes: [uids.implicitVrLittleEndian],
  }));
  const modality = await opened(port, { contexts });

  for (const [name, uid] of [
    ['box, first', '1.2.1'],
    ['box, renewed', '1.2.2'],
  ] as const) {
    hospital.shown.length = 0;
    await box.put(authority, name);
    box.clock.advance(certificateLookMs);
    await certificates.settled();

    const kept = { sopClassUid: ctImageStorage, transferSyntaxUids: [uids.explicitVrLittleEndian] };
    const association = await archive?.scu.open([kept], new AbortController().signal);
    await association?.release();
    const step = { '00400252': { vr: 'CS', values: ['IN PROGRESS'] } };
    assert.equal((await modality.create(uids.procedureStepSopClass, uid, step)).status, 0);
    await until(() => hospital.steps.includes(uid), 'the procedure step');
    const reference = {
      '00081150': { vr: 'UI', values: [ctImageStorage] },
      '00081155': { vr: 'UI', values: ['1.2.3.4'] },
    };
    const asked = {
      '00081195': { vr: 'UI', values: [uid] },
      '00081199': { vr: 'SQ', values: [reference] },
    };
    const { storageCommitmentSopInstance: instance } = uids;
    assert.equal((await modality.action(commitment, instance, 1, asked)).status, 0);
    await until(() => hospital.results.some(({ transactionUid }) => transactionUid === uid), 'the result');
    assert.deepEqual(hospital.shown, [name, name, name]);
  }
});

test('a modality that is called back need not be named by its certificate; a destination must', async (t) => {
  const authority = await CertificateAuthority.make();
  const box = await Box.make(t);
  await box.put(authority, 'box');
  const certificates = await box.certificates(box.config({}));
  const at = { host: '192.0.2.7', port: 104 };
  assert.deepEqual(callBackOf({ ...at, tls: false }, certificates), at);
  const { tls } = callBackOf({ ...at, tls: true }, certificates);
  assert.deepEqual(tls, { credentials: certificates.inUse?.set, checkName: false });
  assert.equal(tlsDestination(certificates, true).checkName, true);
});

test('TLS without certificates, or without a good set, is told by its name', async (t) => {
  const box = await Box.make(t);
  const certificates = await box.certificates(box.config({}));
  assert.equal(certificates.inUse, undefined);
  assert.throws(() => tlsDestination(undefined, true), { code: 'CONFIG_INVALID' });
  const failed = { code: 'DELIVERY_FAILED', message: /no valid certificate/ };
  assert.throws(() => tlsDestination(certificates, true), failed);
  assert.equal(await openCertificates({ ...box, config: decodeConfig(plain, '/') }, new Undo()), undefined);
});
