/**
 * A source with one kept and registered study, its patient's wallet, and members who ask for it: real keys, real ledger
 * rules, real rooms; only disk, network and consensus are in memory, and time stands still until it is moved.
 */
import { randomBytes } from 'node:crypto';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { Quarantine } from '../../firmware/src/ingest/quarantine.ts';
import { Registrar, type StudySteps } from '../../firmware/src/ingest/registrar.ts';
import type { StudyTiming } from '../../firmware/src/ingest/registration-plan.ts';
import {
  chainId,
  encodeTransaction,
  basisId,
  idBytes,
  signingMessage,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessGrant,
  AccessRevoke,
  Genesis,
  StudyId,
  StudyRecord,
  TransactionBody,
} from '../../firmware/src/ledger/types.ts';
import type { DataSetHeader, Submitted } from '../../firmware/src/ports.ts';
import { deriveAccount, type Account, type ScalarSigner } from '../../firmware/src/protocol/accounts.ts';
import { sealGrantNote, termsHash } from '../../firmware/src/protocol/grant-note.ts';
import { grantKeyIndex } from '../../firmware/src/protocol/grants.ts';
import { recogniseOneTime, registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { leafOf, ownRecordOf } from '../../firmware/src/studies/ledger-place.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { bytesOf, genesisTime, LedgerFixture } from '../fakes/ledger.ts';
import { MemoryHub } from '../fakes/network.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ampleDisk } from './ample-room.ts';
import { ManualClock } from './manual-clock.ts';
import { digestPlainPixels, openPlainScanner, plainDataSet } from './plain-data-set.ts';
import { until } from './until.ts';

export const patient: LocalPatient = {
  patientId: 'N-1001',
  issuer: 'NORTH',
  name: 'Canary^Winifred',
  birthDate: '19790412',
  sex: 'F',
};

export const ctImage = '1.2.840.10008.5.1.4.1.1.2';
export const explicitLittle = '1.2.840.10008.1.2.1';

/** Long enough that a study is closed only where a test waits for it. */
export const patientTiming: StudyTiming = { quietMs: 60_000, forcedMs: 3_600_000, amendMs: 30_000 };

/** No modality says anything of its procedure steps. */
export const noSteps: StudySteps = { ofStudy: () => 'unknown', onChange: () => () => undefined };

export class ReleaseWorld {
  readonly clock = new ManualClock(genesisTime + 3_600_000);
  readonly fixture = new LedgerFixture();
  readonly genesis: Genesis;
  readonly ledger: FinalLedger;
  readonly hub: MemoryHub;
  readonly wallet: Account = deriveAccount(bytesOf('wallet seed'), 'north');
  readonly disk = new MemoryObjectDisk();
  readonly catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  readonly quarantine = new Quarantine({
    store: new MemoryObjectStore(),
    clock: this.clock,
    logger: silentLogger,
    health: new MemoryHealthBoard(),
  });
  #seq = new Map<StudyId, number>();

  constructor() {
    const { genesis } = this.fixture;
    this.genesis = {
      ...genesis,
      institutions: genesis.institutions.map((institution) => {
        const { spend, view } = this.account(institution.id);
        return { ...institution, account: { spend: spend.publicKey, view } };
      }),
    };
    this.fixture.chain.set(chainId(this.genesis));
    this.hub = new MemoryHub({ clock: this.clock });
    this.ledger = new FinalLedger(this.genesis, this.clock);
    this.ledger.finalise();
  }

  /** An institution's account at itself, to which grants are addressed. */
  account(institution: string): Account {
    return deriveAccount(bytesOf(`account seed ${institution}`), institution);
  }

  /** Keeps one object, as if a modality had sent it that is trusted with corrections. */
  async keep(
    studyUid: string,
    instance: number,
    body: Uint8Array,
    change: DataSetHeader = {},
    callingAeTitle = 'CT_1',
  ): Promise<KeptStudy> {
    const sopInstanceUid = `${studyUid}.${instance}`;
    const keeper = new Keeper({
      catalogue: this.catalogue,
      disk: ampleDisk,
      quarantine: this.quarantine,
      digestPixels: digestPlainPixels,
      health: new MemoryHealthBoard(),
      openHeaderScanner: openPlainScanner,
      clock: this.clock,
      logger: silentLogger,
    });
    const request = { sopClassUid: ctImage, sopInstanceUid, transferSyntaxUid: explicitLittle };
    const sender = { callingAeTitle, remoteAddress: '192.0.2.7' };
    const sink = keeper.receive({ ...request, ...sender }, () => true);
    await sink.write(
      plainDataSet(
        {
          sopInstanceUid,
          studyInstanceUid: studyUid,
          seriesInstanceUid: `${studyUid}.0`,
          patientId: patient.patientId,
          issuerOfPatientId: patient.issuer,
          patientName: patient.name,
          patientBirthDate: patient.birthDate,
          patientSex: patient.sex,
          modality: 'CT',
          ...change,
        },
        body,
      ),
    );
    await sink.finish();
    const study = this.catalogue.studies().find(({ created }) => created.studyInstanceUid === studyUid);
    if (study === undefined) throw new Error('a kept study is in the catalogue');
    return study;
  }

  registrar(
    timing = patientTiming,
    catalogue = this.catalogue,
    health = new MemoryHealthBoard(),
    steps = noSteps,
  ): Registrar {
    return new Registrar({
      catalogue,
      ledger: this.ledger,
      chain: this.fixture.chain,
      institution: 'north',
      signer: this.fixture.box('north').transaction,
      walletOf: () => ({ spend: this.wallet.spend.publicKey, view: this.wallet.view }),
      timing,
      steps,
      clock: this.clock,
      logger: silentLogger,
      health,
    });
  }

  /** A study of objects with these bodies, registered under the wallet's key. */
  async registeredStudy(studyUid: string, bodies: readonly Uint8Array[]): Promise<KeptStudy> {
    let study: KeptStudy | undefined;
    for (const [index, body] of bodies.entries()) study = await this.keep(studyUid, index + 1, body);
    if (study === undefined) throw new Error('a study has objects');
    await this.register(study);
    return study;
  }

  /** Brings all objects that the study has now to the ledger. */
  async register(study: KeptStudy): Promise<void> {
    const registrar = this.registrar({ quietMs: 60_000, forcedMs: 3_600_000, amendMs: 0 });
    await registrar.start();
    await until(
      () => study.latestVersion?.objects === study.objects.length && this.record(study) !== undefined,
      'the study on the ledger',
    );
    await until(() => this.record(study)?.version === study.latestVersion?.version, 'its version');
    await registrar.stop();
  }

  /** As after the quiet time: all objects are on the ledger and the study is closed. */
  async complete(study: KeptStudy): Promise<void> {
    const registrar = this.registrar({ quietMs: 0, forcedMs: 3_600_000, amendMs: 0 });
    await registrar.start();
    await until(() => this.record(study)?.closed === true, 'the study to be closed');
    await registrar.stop();
  }

  record(study: KeptStudy): StudyRecord | undefined {
    return ownRecordOf(this.ledger.state(), study, 'north');
  }

  owner(study: KeptStudy): ScalarSigner {
    const record = this.record(study);
    if (record === undefined) throw new Error('only a registered study has an owner');
    const place = { chain: this.fixture.chain, index: record.batchIndex };
    const recognised = recogniseOneTime(this.wallet, { ...place, ...record });
    if (recognised === undefined) throw new Error('the study is the wallet’s');
    return recognised.signer;
  }

  async submitAsOwner(study: KeptStudy, body: TransactionBody): Promise<Submitted> {
    const signatures = [await this.owner(study).sign(signingMessage(body))];
    return this.ledger.finalise(encodeTransaction({ body, signatures }));
  }

  /** A grant to an institution, final. Valid from an hour before the clock's time for seven days, for two opens. */
  async grant(study: KeptStudy, to: string, change: Partial<AccessGrant> = {}): Promise<AccessGrant> {
    const { studyId } = study;
    if (studyId === undefined) throw new Error('only a registered study can be granted');
    const { spend, view } = this.account(to);
    const leaf = leafOf(study, 'north');
    const seq = (this.#seq.get(studyId) ?? 0) + 1;
    const key = registerOwner(
      {
        chain: this.fixture.chain,
        institution: to,
        spend: spend.publicKey,
        view,
        index: grantKeyIndex,
      },
      randomBytes(32),
    );
    const terms = {
      purpose: 'Second opinion',
      person: null,
      patientAtGrantee: null,
      consent: null,
      salt: randomBytes(32),
    };
    const { note: _note, ...plain } = this.fixture.grantBody(studyId, seq, key.ownerKey, {
      ephemeral: key.ephemeral,
      tag: key.tag,
      termsHash: termsHash(terms),
      notBefore: this.clock.now() - 3_600_000,
      expiry: this.clock.now() + 604_800_000,
      ...(leaf && this.ledger.state().study(studyId) === undefined && { leaf }),
      ...change,
    });
    const note = await sealGrantNote(
      plain,
      { source: 'north', grantee: to, terms },
      { source: this.account('north').view, grantee: view },
    );
    const body = { ...plain, note };
    const submitted = await this.submitAsOwner(study, body);
    if (submitted.kind === 'refused') throw new Error(`the grant was refused: ${submitted.reason}`);
    this.#seq.set(studyId, seq);
    return body;
  }

  async revoke(study: KeptStudy, target: AccessGrant | 'all'): Promise<void> {
    const { studyId } = study;
    if (studyId === undefined) throw new Error('only a registered study can be revoked');
    const body: AccessRevoke = this.fixture.revokeBody(
      studyId,
      target === 'all' ? { upTo: this.#seq.get(studyId) ?? 0 } : { basisId: idBytes(basisId(target)) },
    );
    const submitted = await this.submitAsOwner(study, body);
    if (submitted.kind === 'refused') throw new Error(`the revocation was refused: ${submitted.reason}`);
  }
}
