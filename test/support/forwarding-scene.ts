/** Forwarding over a memory disk, to destinations that behave as a test says. */
import { randomBytes } from 'node:crypto';
import type { Destination } from '../../firmware/src/forwarding/destination.ts';
import { Forwarding } from '../../firmware/src/forwarding/forwarding.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import type {
  Clock,
  PatientCoercion,
  ProposedStorageContext,
  StorageAssociation,
  StorageContext,
  StorageScu,
  Transcoder,
  WorkflowScu,
} from '../../firmware/src/ports.ts';
import { instanceKey } from '../../firmware/src/protocol/commitments.ts';
import { instancePrefix, type InstanceIdentity } from '../../firmware/src/protocol/instance-prefix.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ObjectKept, StudyOrigin } from '../../firmware/src/studies/manifest.ts';
import { ObjectIntake } from '../../firmware/src/studies/object-intake.ts';
import type { LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';
import { settle, until } from './until.ts';

export const ct = '1.2.840.10008.5.1.4.1.1.2';
export const explicitLittle = '1.2.840.10008.1.2.1';
export const implicitLittle = '1.2.840.10008.1.2';

export const foreign: LocalPatient = {
  patientId: 'N-1001',
  issuer: '',
  name: 'Canary^Winifred',
  birthDate: '19790412',
  sex: 'F',
};

export interface StoredThere {
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: Buffer;
  readonly association: number;
}

/** A destination that behaves as a test says. */
export class FakeScu implements StorageScu {
  readonly stored: StoredThere[] = [];
  readonly proposals: (readonly ProposedStorageContext[])[] = [];
  released = 0;
  aborted = 0;
  /** By default it accepts all. */
  refuses: (context: StorageContext) => boolean = () => false;
  /** Before an association is made; may throw. */
  onOpen: () => void | Promise<void> = () => undefined;
  /** The status of a C-STORE; may throw, or never resolve. */
  statusOf: (sopInstanceUid: string) => number | Promise<number> = () => 0;
  /** The peer ends every association that it has. */
  hangUp: () => void = () => undefined;

  get uids(): string[] {
    return this.stored.map(({ sopInstanceUid }) => sopInstanceUid);
  }

  async open(contexts: readonly ProposedStorageContext[]): Promise<StorageAssociation> {
    this.proposals.push(contexts);
    await this.onOpen();
    const number = this.proposals.length;
    let isOpen = true;
    this.hangUp = () => void (isOpen = false);
    const accepted = contexts.flatMap(({ sopClassUid, transferSyntaxUids }): StorageContext[] => {
      const taken = transferSyntaxUids.find(
        (transferSyntaxUid) => !this.refuses({ sopClassUid, transferSyntaxUid }),
      );
      return taken === undefined ? [] : [{ sopClassUid, transferSyntaxUid: taken }];
    });
    return {
      get isOpen() {
        return isOpen;
      },
      accepted,
      store: async ({ sopInstanceUid, transferSyntaxUid }, dataSet) => {
        const parts: Uint8Array[] = [];
        for await (const part of dataSet) parts.push(part);
        const status = await this.statusOf(sopInstanceUid);
        if (status === 0 || status >> 12 === 0xb) {
          const whole = Buffer.concat(parts);
          this.stored.push({ sopInstanceUid, transferSyntaxUid, dataSet: whole, association: number });
        }
        return status;
      },
      release: () => {
        isOpen = false;
        this.released++;
        return Promise.resolve();
      },
      abort: () => {
        isOpen = false;
        this.aborted++;
        return Promise.resolve();
      },
    };
  }
}

/** A study is complete when nothing came for this long. */
export const quietMs = 60_000;

/** Remembers what it was told and asked. */
export class FakeWorkflow implements WorkflowScu {
  readonly notifications: Parameters<WorkflowScu['notify']>[0][] = [];
  readonly commitments: Parameters<WorkflowScu['askCommitment']>[0][] = [];
  /** The status of the next answers; may throw. */
  answer: () => number = () => 0;

  async notify(notification: Parameters<WorkflowScu['notify']>[0]): Promise<number> {
    const status = this.answer();
    if (status === 0) this.notifications.push(notification);
    return Promise.resolve(status);
  }

  async askCommitment(request: Parameters<WorkflowScu['askCommitment']>[0]): Promise<number> {
    const status = this.answer();
    if (status === 0) this.commitments.push(request);
    return Promise.resolve(status);
  }
}

export interface StudyPlan {
  readonly origin?: 'modality' | 'referenced' | 'returned' | 'fetched';
  readonly callingAeTitle?: string;
  /** SOP classes of its first objects. */
  readonly classes?: readonly string[];
  readonly bodies?: readonly Uint8Array[];
}

/** An object as a peer can read it. */
export interface RealObject extends InstanceIdentity {
  readonly dataSet: Uint8Array;
}

export class ForwardingScene {
  readonly clock = new ManualClock();
  readonly #time: Clock;
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();
  readonly disk = new MemoryObjectDisk();
  catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  readonly pacs = new FakeScu();
  readonly workflow = new FakeWorkflow();
  readonly coercions: PatientCoercion[] = [];
  /** A study is complete when nothing came for this long. */
  quietMs = quietMs;
  patientOf: (account: Uint8Array) => LocalPatient | undefined = () => undefined;
  transcoder: Transcoder = { targets: () => [], transcode: (dataSet) => dataSet };
  destinations: readonly Destination[] = [this.destination({})];
  forwarding: Forwarding;
  #studies = 0;

  /** Real peers need the real time. */
  constructor(time?: Clock) {
    this.#time = time ?? this.clock;
    this.forwarding = this.make();
  }

  destination(part: Partial<Destination>): Destination {
    return {
      name: 'pacs',
      aeTitle: 'PACS',
      sendsAs: ['PACS'],
      inline: true,
      fetched: true,
      notify: false,
      commitment: false,
      paused: false,
      bytesPerSecondMax: undefined,
      windows: [],
      timeZone: 'UTC',
      scu: this.pacs,
      workflow: this.workflow,
      ...part,
    };
  }

  make(): Forwarding {
    return new Forwarding({
      destinations: this.destinations,
      reconcile: (dataSet, _syntax, coercion) => {
        this.coercions.push(coercion);
        return dataSet;
      },
      patientOf: (account) => this.patientOf(account),
      transcoder: this.transcoder,
      completeAt: (study) => study.lastObjectAt + this.quietMs,
      retrieveAeTitle: 'HILUM',
      catalogue: this.catalogue,
      store: this.store,
      clock: this.#time,
      logger: silentLogger,
      health: this.health,
    });
  }

  async start(...destinations: readonly Destination[]): Promise<void> {
    if (destinations.length > 0) this.destinations = destinations;
    this.forwarding = this.make();
    await this.forwarding.start();
  }

  /** As a new process over what is on disk. */
  async restart(): Promise<void> {
    this.catalogue = new Catalogue(new MemoryObjectStore(this.disk));
    await this.catalogue.load(({ created: { origin } }) =>
      origin.kind === 'fetched' ? origin.studyId : undefined,
    );
    this.forwarding = this.make();
    await this.forwarding.start();
  }

  /** A study with objects of these SOP classes; their UIDs are `1.<study>.<object>`. */
  async study({ origin = 'modality', callingAeTitle = 'CT1', classes = [ct], bodies = [] }: StudyPlan = {}) {
    const number = ++this.#studies;
    const studyId = number.toString(16).padStart(64, '0') as StudyId;
    const origins: Record<typeof origin, StudyOrigin> = {
      modality: { kind: 'modality' },
      referenced: { kind: 'referenced', pacs: 'PACS' },
      returned: { kind: 'returned' },
      fetched: { kind: 'fetched', source: 'north', studyId },
    };
    const study = await this.catalogue.obtain({
      is: 'study',
      studyInstanceUid: `1.${number}`,
      salt: randomBytes(32),
      origin: origins[origin],
      patient: foreign,
      callingAeTitle,
      date: '',
      description: '',
      at: this.clock.now(),
    });
    study.studyId = studyId;
    for (const [index, sopClassUid] of classes.entries())
      await this.#add(study, { sopClassUid, callingAeTitle }, bodies[index]);
    this.catalogue.changed(study);
    return { study, studyId };
  }

  /** One more object, as reception tells of it. */
  async grow(study: KeptStudy, sopClassUid = ct, callingAeTitle = 'CT1'): Promise<void> {
    await this.#add(study, { sopClassUid, callingAeTitle });
    this.catalogue.changed(study);
  }

  /** A study of objects that real peers can read. */
  async realStudy(objects: readonly RealObject[]): Promise<KeptStudy> {
    const { study } = await this.study({ classes: [] });
    for (const object of objects) {
      await this.#append(study, object, 'CT1', object.dataSet);
      this.catalogue.changed(study);
    }
    return study;
  }

  async #add(
    study: KeptStudy,
    { sopClassUid, callingAeTitle }: Pick<ObjectKept, 'sopClassUid' | 'callingAeTitle'>,
    body: Uint8Array = randomBytes(20),
  ): Promise<void> {
    const sopInstanceUid = `${study.created.studyInstanceUid}.${study.objects.length}`;
    const identity = { sopClassUid, transferSyntaxUid: explicitLittle, sopInstanceUid };
    await this.#append(study, identity, callingAeTitle, body);
  }

  async #append(
    study: KeptStudy,
    { sopClassUid, transferSyntaxUid, sopInstanceUid }: InstanceIdentity,
    callingAeTitle: string,
    body: Uint8Array,
  ): Promise<void> {
    const identity = { sopClassUid, transferSyntaxUid, sopInstanceUid };
    const header = { seriesInstanceUid: '1', modality: 'CT' };
    const intake = new ObjectIntake(study, { identity, callingAeTitle, header }, (number) =>
      instanceKey(study.created.salt, number),
    );
    await intake.write(instancePrefix(identity));
    await intake.write(body);
    await intake.finish();
    await intake.keep(this.#time.now());
  }

  stateOf(study: KeptStudy, destination = 'pacs'): string | undefined {
    return this.forwarding.statusOf(study).find((status) => status.destination === destination)?.state;
  }

  async untilState(study: KeptStudy, state: string, destination = 'pacs'): Promise<void> {
    await until(() => this.stateOf(study, destination) === state, state);
    await settle();
  }

  healthOf(code: string): string | undefined {
    return this.health.list().find((item) => item.code === code)?.detail;
  }
}
