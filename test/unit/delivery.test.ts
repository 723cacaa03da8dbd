/** Delivery to the PACS: in the end everything arrives, nothing twice, and nothing waits for what the PACS refuses. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import type {
  PatientCoercion,
  StorageAssociation,
  StorageContext,
  StorageScu,
} from '../../firmware/src/ports.ts';
import { instanceKey } from '../../firmware/src/protocol/commitments.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { PacsDelivery } from '../../firmware/src/release/delivery.ts';
import {
  contextsPerAssociationMax,
  retryFirstMs,
  retryLongestMs,
} from '../../firmware/src/release/limits.ts';
import { retryPauseMs } from '../../firmware/src/release/retry.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { ObjectIntake } from '../../firmware/src/studies/object-intake.ts';
import { instancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import type { LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { settle, until } from '../support/until.ts';

const ct = '1.2.840.10008.5.1.4.1.1.2';
const explicitLittle = '1.2.840.10008.1.2.1';

const foreign: LocalPatient = {
  patientId: 'N-1001',
  issuer: '',
  name: 'Canary^Winifred',
  birthDate: '19790412',
  sex: 'F',
};
const local: LocalPatient = { ...foreign, patientId: 'S-77', issuer: 'SOUTH', name: 'CANARY^WINIFRED^' };
const account = new Uint8Array(32).fill(9);

interface StoredAtPacs {
  readonly sopInstanceUid: string;
  readonly dataSet: Buffer;
  readonly association: number;
}

/** A PACS that behaves as a test says. */
class FakePacs implements StorageScu {
  readonly name = 'PACS';
  readonly stored: StoredAtPacs[] = [];
  readonly proposals: (readonly StorageContext[])[] = [];
  released = 0;
  aborted = 0;
  /** Undefined: it accepts all. */
  refuses: (context: StorageContext) => boolean = () => false;
  /** Before an association is made; may throw. */
  onOpen: () => void = () => undefined;
  /** The status of a C-STORE; may throw, or never resolve. */
  statusOf: (sopInstanceUid: string) => number | Promise<number> = () => 0;

  get uids(): string[] {
    return this.stored.map(({ sopInstanceUid }) => sopInstanceUid);
  }

  async open(contexts: readonly StorageContext[]): Promise<StorageAssociation> {
    this.proposals.push(contexts);
    this.onOpen();
    const association = this.proposals.length;
    return {
      accepts: (context) =>
        !this.refuses(context) &&
        contexts.some(
          ({ sopClassUid, transferSyntaxUid }) =>
            sopClassUid === context.sopClassUid && transferSyntaxUid === context.transferSyntaxUid,
        ),
      store: async ({ sopInstanceUid }, dataSet) => {
        const parts: Uint8Array[] = [];
        for await (const part of dataSet) parts.push(part);
        const status = await this.statusOf(sopInstanceUid);
        if (status === 0 || status >> 12 === 0xb)
          this.stored.push({ sopInstanceUid, dataSet: Buffer.concat(parts), association });
        return status;
      },
      release: async () => {
        this.released++;
      },
      abort: async () => {
        this.aborted++;
      },
    };
  }
}

class Scene {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();
  readonly pacs = new FakePacs();
  readonly disk = new MemoryObjectDisk();
  readonly catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  readonly coercions: PatientCoercion[] = [];
  patientOf: (account: Uint8Array) => LocalPatient | undefined = () => undefined;
  delivery = this.#make();
  #studies = 0;

  #make(): PacsDelivery {
    return new PacsDelivery({
      pacs: this.pacs,
      reconcile: (dataSet, _syntax, coercion) => {
        this.coercions.push(coercion);
        return dataSet;
      },
      patientOf: (of) => this.patientOf(of),
      catalogue: this.catalogue,
      store: this.store,
      clock: this.clock,
      logger: silentLogger,
      health: this.health,
    });
  }

  /** As a new process over what is on disk. */
  async restart(): Promise<void> {
    this.delivery = this.#make();
    await this.delivery.start();
  }

  /** A fetched study with objects of these SOP classes. */
  async study(classes: readonly string[], bodies: readonly Uint8Array[] = []): Promise<StudyId> {
    const studyId = (++this.#studies).toString(16).padStart(64, '0') as StudyId;
    const study = await this.catalogue.obtain({
      is: 'study',
      studyInstanceUid: `1.${this.#studies}`,
      salt: randomBytes(32),
      origin: { kind: 'fetched', source: 'north', studyId },
      patient: foreign,
      callingAeTitle: '',
      date: '',
      description: '',
      at: this.clock.now(),
    });
    study.studyId = studyId;
    for (const [index, sopClassUid] of classes.entries())
      await this.#add(studyId, index, sopClassUid, bodies[index]);
    this.catalogue.changed(study);
    return studyId;
  }

  async grow(studyId: StudyId): Promise<void> {
    await this.#add(studyId, this.catalogue.byStudyId(studyId)?.objects.length ?? 0, ct);
  }

  async #add(
    studyId: StudyId,
    index: number,
    sopClassUid: string,
    body: Uint8Array = randomBytes(20),
  ): Promise<void> {
    const study = this.catalogue.byStudyId(studyId) ?? this.catalogue.studies().at(-1);
    assert.ok(study !== undefined);
    const identity = {
      sopClassUid,
      transferSyntaxUid: explicitLittle,
      sopInstanceUid: `1.${study.created.studyInstanceUid}.${index}`,
    };
    const intake = await ObjectIntake.begin(
      study,
      { ...identity, seriesInstanceUid: '1', modality: 'CT' },
      (number) => instanceKey(study.created.salt, number),
    );
    await intake.write(instancePrefix(identity));
    await intake.write(body);
    await study.append(await intake.finish(intake.digest(), this.clock.now()));
  }

  async untilState(studyId: StudyId, state: string): Promise<void> {
    await until(() => this.delivery.statusOf(studyId)?.state === state, `${state}`);
    await settle();
  }
}

const down = new AppError('DELIVERY_FAILED', 'PACS is not reachable');

test('pauses double from the first to the longest and never pass it', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map(retryPauseMs),
    [1, 2, 4, 8].map((n) => n * retryFirstMs),
  );
  assert.equal(retryPauseMs(20), retryLongestMs);
  assert.equal(retryPauseMs(100_000), retryLongestMs);
});

test('a study is delivered in order, its data sets as they were received', async () => {
  const scene = new Scene();
  await scene.delivery.start();
  const bodies = [randomBytes(20), randomBytes(2 * chunkBytes), randomBytes(1)];
  const id = await scene.study([ct, ct, ct], bodies);
  assert.equal(scene.delivery.statusOf(id), undefined);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.1.1.0', '1.1.1.1', '1.1.1.2']);
  assert.ok(scene.pacs.stored.every(({ dataSet }, index) => dataSet.equals(bodies[index] as Buffer)));
  assert.equal(scene.pacs.proposals.length, 1);
  assert.deepEqual([scene.pacs.released, scene.pacs.aborted], [1, 0]);
  await scene.delivery.stop();
});

test('a PACS that is down is tried again after ever longer pauses, with an alarm, until it takes everything', async () => {
  const scene = new Scene();
  scene.pacs.onOpen = () => {
    throw down;
  };
  await scene.delivery.start();
  const id = await scene.study([ct, ct]);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'failed');
  for (let failures = 0; failures < 12; failures++) {
    assert.equal(scene.pacs.proposals.length, failures + 1);
    const pause = retryPauseMs(failures);
    scene.clock.advance(pause - 1);
    await settle();
    assert.equal(scene.pacs.proposals.length, failures + 1, 'not before the pause is over');
    scene.clock.advance(1);
    await settle();
  }
  const [item] = scene.health.list();
  assert.deepEqual([item?.code, item?.subject, item?.detail], ['DELIVERY_FAILED', 'PACS', down.message]);
  scene.pacs.onOpen = () => undefined;
  scene.clock.advance(retryLongestMs);
  await scene.untilState(id, 'delivered');
  assert.equal(scene.pacs.stored.length, 2);
  assert.deepEqual(scene.health.list(), []);
  await scene.delivery.stop();
});

test('a study that the PACS refuses holds up no other, and does not hide behind them', async () => {
  const scene = new Scene();
  scene.pacs.refuses = ({ sopClassUid }) => sopClassUid === '1.9';
  await scene.delivery.start();
  const poisoned = await scene.study(['1.9']);
  const others: StudyId[] = [];
  for (let i = 0; i < 3; i++) others.push(await scene.study([ct]));
  await scene.delivery.enqueue(poisoned, null);
  await scene.untilState(poisoned, 'failed');
  for (const id of others) await scene.delivery.enqueue(id, null);
  for (const id of others) await scene.untilState(id, 'delivered');
  assert.equal(scene.pacs.stored.length, 3);
  assert.equal(scene.delivery.statusOf(poisoned)?.state, 'failed');
  assert.match(scene.health.list()[0]?.detail ?? '', /accepts no 1\.9 in transfer syntax/, 'the alarm stays');
  scene.pacs.refuses = () => false;
  scene.clock.advance(retryLongestMs);
  await scene.untilState(poisoned, 'delivered');
  assert.deepEqual(scene.health.list(), []);
  await scene.delivery.stop();
});

test('a new study is delivered at once, however long the pause of an old one has become', async () => {
  const scene = new Scene();
  scene.pacs.refuses = ({ sopClassUid }) => sopClassUid === '1.9';
  await scene.delivery.start();
  const poisoned = await scene.study(['1.9']);
  await scene.delivery.enqueue(poisoned, null);
  for (let i = 0; i < 12; i++) {
    await settle();
    scene.clock.advance(retryLongestMs);
  }
  await settle();
  const urgent = await scene.study([ct]);
  await scene.delivery.enqueue(urgent, null);
  await scene.untilState(urgent, 'delivered');
  await scene.delivery.stop();
});

test('a failure in the middle: what the PACS took is not sent again', async () => {
  const scene = new Scene();
  scene.pacs.statusOf = (uid) => (uid === '1.1.1.2' ? 0xa700 : 0);
  await scene.delivery.start();
  const id = await scene.study([ct, ct, ct, ct]);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'failed');
  assert.match(scene.health.list()[0]?.detail ?? '', /status 0xa700/);
  assert.equal(scene.pacs.aborted, 1);
  scene.pacs.statusOf = () => 0xb000;
  scene.clock.advance(retryFirstMs);
  await scene.untilState(id, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.1.1.0', '1.1.1.1', '1.1.1.2', '1.1.1.3'], 'a warning is a success');
  await scene.delivery.stop();
});

for (const status of [0x0110, 0xa700, 0xa900, 0xc000, 0x0122, 0xfe00]) {
  test(`status 0x${status.toString(16)} is no success`, async () => {
    const scene = new Scene();
    scene.pacs.statusOf = () => status;
    await scene.delivery.start();
    const id = await scene.study([ct]);
    await scene.delivery.enqueue(id, null);
    await scene.untilState(id, 'failed');
    await scene.delivery.stop();
  });
}

test('after a restart it goes on where it was, without being asked', async () => {
  const scene = new Scene();
  let reached = false;
  scene.pacs.statusOf = (uid) => {
    if (uid !== '1.1.1.1') return 0;
    reached = true;
    throw down;
  };
  await scene.delivery.start();
  const [id, waiting] = [await scene.study([ct, ct, ct]), await scene.study([ct])];
  await scene.delivery.enqueue(id, account);
  await until(() => reached, 'the break');
  await scene.untilState(id, 'failed');
  await scene.delivery.stop();
  await scene.delivery.enqueue(waiting, null);
  scene.pacs.statusOf = () => 0;
  scene.patientOf = () => local;
  await scene.restart();
  assert.equal(scene.delivery.statusOf(id)?.state, 'failed');
  await scene.untilState(id, 'delivered');
  await scene.untilState(waiting, 'delivered');
  assert.deepEqual(scene.pacs.uids.toSorted(), ['1.1.1.0', '1.1.1.1', '1.1.1.2', '1.1.2.0']);
  assert.equal(scene.coercions.find(({ patientId }) => patientId === 'S-77')?.issuer, 'SOUTH');
  await scene.delivery.stop();
  await scene.restart();
  await settle();
  assert.equal(scene.pacs.stored.length, 4, 'what was delivered stays so');
  await scene.delivery.stop();
});

test('a stop in the middle of an association is no failure of the PACS', async () => {
  const scene = new Scene();
  const { promise, reject } = Promise.withResolvers<number>();
  scene.pacs.statusOf = () => promise;
  await scene.delivery.start();
  const id = await scene.study([ct]);
  await scene.delivery.enqueue(id, null);
  await until(() => scene.pacs.proposals.length === 1, 'the association');
  await settle();
  const stopped = scene.delivery.stop();
  reject(new AppError('DELIVERY_FAILED', 'aborted'));
  await stopped;
  assert.deepEqual(scene.health.list(), []);
  assert.equal(scene.delivery.statusOf(id)?.state, 'waiting');
});

test('a study that grew is sent from where it was, and one that grows meanwhile to its end', async () => {
  const scene = new Scene();
  await scene.delivery.start();
  const id = await scene.study([ct]);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'delivered');
  await scene.grow(id);
  await scene.delivery.enqueue(id, null);
  await until(() => scene.pacs.stored.length === 2, 'the second');
  await scene.untilState(id, 'delivered');
  scene.pacs.onOpen = () => {
    scene.pacs.onOpen = () => undefined;
    void scene.grow(id).then(() => scene.delivery.enqueue(id, null));
  };
  await scene.grow(id);
  await scene.delivery.enqueue(id, null);
  await until(() => scene.pacs.stored.length === 4, 'all');
  await scene.untilState(id, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.1.1.0', '1.1.1.1', '1.1.1.2', '1.1.1.3']);
  await scene.delivery.stop();
});

test('as many presentation contexts as an association may propose, no more: the rest in further ones', async () => {
  const scene = new Scene();
  await scene.delivery.start();
  const classes = Array.from({ length: 300 }, (_, i) => `1.5.${i}`);
  const id = await scene.study(classes);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'delivered');
  assert.deepEqual(
    scene.pacs.proposals.map(({ length }) => length),
    [contextsPerAssociationMax, contextsPerAssociationMax, 300 - 2 * contextsPerAssociationMax],
  );
  assert.equal(scene.pacs.stored.length, 300);
  const many = await scene.study(Array.from({ length: 300 }, () => ct));
  await scene.delivery.enqueue(many, null);
  await scene.untilState(many, 'delivered');
  assert.equal(scene.pacs.proposals.at(-1)?.length, 1, 'one context serves all objects of its kind');
  await scene.delivery.stop();
});

const coercionCases: readonly (readonly [
  name: string,
  wallet: Uint8Array | null,
  bound: LocalPatient | undefined,
  expected: Pick<PatientCoercion, 'patientId' | 'issuer'>,
])[] = [
  [
    'the wallet is bound here and the person is the same',
    account,
    local,
    { patientId: 'S-77', issuer: 'SOUTH' },
  ],
  ['nobody said whose it is here', null, local, { patientId: 'N-1001', issuer: 'north' }],
  ['the wallet is bound to nobody here', account, undefined, { patientId: 'N-1001', issuer: 'north' }],
  [
    'the birth dates differ',
    account,
    { ...local, birthDate: '19790413' },
    { patientId: 'N-1001', issuer: 'north' },
  ],
  ['the sexes differ', account, { ...local, sex: 'M' }, { patientId: 'N-1001', issuer: 'north' }],
  ['the names differ', account, { ...local, name: 'Canary^Wilma' }, { patientId: 'N-1001', issuer: 'north' }],
];

for (const [name, wallet, bound, expected] of coercionCases) {
  test(`under the local patient ID only if all matches: ${name}`, async () => {
    const scene = new Scene();
    scene.patientOf = (of) => (of.every((byte) => byte === 9) ? bound : undefined);
    await scene.delivery.start();
    const id = await scene.study([ct]);
    await scene.delivery.enqueue(id, wallet);
    await scene.untilState(id, 'delivered');
    assert.deepEqual(scene.coercions, [{ ...expected, source: 'north', at: scene.clock.now() }]);
    await scene.delivery.stop();
  });
}

test('an object that is damaged on this box’s disk is not delivered', async () => {
  const scene = new Scene();
  await scene.delivery.start();
  const id = await scene.study([ct]);
  for (const { objects } of scene.disk.studies.values()) objects.clear();
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'failed');
  assert.equal(scene.pacs.stored.length, 0);
  await scene.delivery.stop();
});

test('a store that fails stops no delivery for good: it is tried again, and nothing is unhandled', async () => {
  const scene = new Scene();
  await scene.delivery.start();
  const id = await scene.study([ct]);
  await scene.delivery.enqueue(id, null);
  await scene.untilState(id, 'delivered');
  const write = scene.store.write.bind(scene.store);
  await scene.grow(id);
  await scene.delivery.enqueue(id, null);
  scene.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the index cannot be written'));
  await settle();
  scene.store.write = write;
  for (let i = 0; i < 4; i++) {
    scene.clock.advance(retryLongestMs);
    await settle();
  }
  await scene.untilState(id, 'delivered');
  assert.ok(scene.pacs.uids.includes('1.1.1.1'));
  await scene.delivery.stop();
});
