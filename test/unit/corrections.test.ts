/** A corrected study on its way: what is committed to, what is released under which version, what a grantee makes of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { openStudyNote } from '../../firmware/src/protocol/notes.ts';
import { studyTop, StudyCommitment } from '../../firmware/src/protocol/commitments.ts';
import { streamObjects } from '../../firmware/src/release/stream.ts';
import { StudyReceiver } from '../../firmware/src/release/study-receiver.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';
import { committedInstance } from '../../firmware/src/studies/study-commitment.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { openPlainScanner } from '../support/plain-data-set.ts';
import { ReleaseWorld } from '../support/release-world.ts';

const uid = '1.2.3';
const bodies = [randomBytes(100), randomBytes(200), randomBytes(300)] as const;

/** A study of three objects on the ledger, and the commitment to it. */
async function registered(): Promise<{ world: ReleaseWorld; study: KeptStudy; head: Uint8Array }> {
  const world = new ReleaseWorld();
  const study = await world.registeredStudy(uid, bodies);
  return { world, study, head: headOf(world, study) };
}

function headOf(world: ReleaseWorld, study: KeptStudy): Uint8Array {
  const record = world.record(study);
  assert.ok(record !== undefined);
  return record.commitment;
}

/** Corrects the second object and brings it to the ledger. */
async function correct(world: ReleaseWorld, study: KeptStudy, description: string): Promise<Uint8Array> {
  await world.keep(uid, 2, bodies[1], { studyDescription: description });
  await world.register(study);
  return headOf(world, study);
}

function commitmentTo(study: KeptStudy, objects: readonly (ObjectKept | undefined)[]): Uint8Array {
  const commitment = new StudyCommitment(studyTop(study.created.salt));
  for (const object of objects) {
    assert.ok(object !== undefined);
    commitment.add(committedInstance(object));
  }
  return commitment.commitment();
}

/** What the source streams under this commitment to someone who holds so many of its first objects. */
function released(
  world: ReleaseWorld,
  study: KeptStudy,
  head: Uint8Array,
  skip = 0,
): AsyncIterable<Uint8Array> {
  const objects = study.objectsUnder((commitment) => equalBytes(commitment, head));
  assert.ok(objects !== undefined);
  return streamObjects({
    study,
    objects: study.newestOf(objects),
    skip,
    clock: world.clock,
    groundAgainst: () => undefined,
    cut: () => undefined,
    onObjectSent: () => undefined,
  });
}

/** A grantee's box. */
class Grantee {
  readonly #disk = new MemoryObjectDisk();
  catalogue = new Catalogue(new MemoryObjectStore(this.#disk));
  readonly #world: ReleaseWorld;
  readonly #study: KeptStudy;

  constructor(world: ReleaseWorld, study: KeptStudy) {
    this.#world = world;
    this.#study = study;
  }

  get kept(): KeptStudy | undefined {
    const { studyId } = this.#study;
    return studyId === undefined ? undefined : this.catalogue.byStudyId(studyId);
  }

  async take(frames: AsyncIterable<Uint8Array>, commitment: Uint8Array): Promise<void> {
    const { studyId } = this.#study;
    assert.ok(studyId !== undefined);
    const receiver = new StudyReceiver({
      catalogue: this.catalogue,
      keepRoom: () => Promise.resolve({ take: () => undefined, end: () => undefined }),
      openHeaderScanner: openPlainScanner,
      clock: this.#world.clock,
    });
    const held = this.kept?.newest ?? [];
    await receiver.receive(frames, {
      studyId,
      source: 'north',
      commitment,
      held,
      onProgress: () => undefined,
    });
  }

  async restart(): Promise<void> {
    this.catalogue = new Catalogue(new MemoryObjectStore(this.#disk));
    await this.catalogue.load(({ created: { origin } }) =>
      origin.kind === 'fetched' ? origin.studyId : undefined,
    );
  }
}

const keysOf = (objects: readonly ObjectKept[] | undefined): readonly string[] =>
  (objects ?? []).map(({ instanceKey }) => Buffer.from(instanceKey).toString('hex'));

test('a correction amends the study: the ledger then commits to the newest version of each object', async () => {
  const { world, study, head } = await registered();
  const [one, two, three] = study.objects;
  assert.ok(equalBytes(head, commitmentTo(study, [one, two, three])));
  const corrected = await correct(world, study, 'Abdomen');
  const four = study.objects[3];
  assert.ok(equalBytes(corrected, commitmentTo(study, [one, three, four])));
  assert.equal(world.record(study)?.version, 2);
  const { owner, latestVersion, created } = study;
  assert.ok(owner !== undefined && latestVersion !== undefined);
  const note = await openStudyNote(owner.prk, 0, corrected, latestVersion.note);
  assert.ok(note !== undefined && 'instances' in note);
  assert.deepEqual([note.instances, created.studyInstanceUid], [3, uid]);
});

test('a grant of the earlier version still releases what it covered', async () => {
  const { world, study, head } = await registered();
  const before = study.objects.slice();
  await correct(world, study, 'Abdomen');
  const grantee = new Grantee(world, study);
  await grantee.take(released(world, study, head), head);
  assert.deepEqual(keysOf(grantee.kept?.newest), keysOf(before));
});

test('a grantee that holds the earlier version gets the correction in its place, and keeps the other', async () => {
  const { world, study, head } = await registered();
  const grantee = new Grantee(world, study);
  await grantee.take(released(world, study, head), head);
  const corrected = await correct(world, study, 'Abdomen');
  await grantee.take(released(world, study, corrected), corrected);
  for (const restarted of [false, true]) {
    if (restarted) await grantee.restart();
    assert.deepEqual(keysOf(grantee.kept?.newest), keysOf(study.newest), 'in the order of the source');
    assert.equal(grantee.kept?.objects.length, 4);
  }
  // What it holds is now the beginning of the next version.
  await world.keep(uid, 4, randomBytes(50));
  await world.register(study);
  const grown = headOf(world, study);
  await grantee.take(released(world, study, grown, 3), grown);
  assert.deepEqual(keysOf(grantee.kept?.newest), keysOf(study.newest));
});

test('a transfer of a correction that broke off goes on, whatever had come of it', async () => {
  const { world, study, head } = await registered();
  const corrected = await correct(world, study, 'Abdomen');
  const frames: Uint8Array[] = [];
  for await (const frame of released(world, study, corrected)) frames.push(new Uint8Array(frame));
  for (let taken = 0; taken < frames.length; taken++) {
    const grantee = new Grantee(world, study);
    await grantee.take(released(world, study, head), head);
    const broken = (async function* () {
      yield* frames.slice(0, taken);
    })();
    await assert.rejects(grantee.take(broken, corrected), { code: 'TRANSFER_UNVERIFIED' });
    await grantee.take(released(world, study, corrected), corrected);
    assert.deepEqual(keysOf(grantee.kept?.newest), keysOf(study.newest), `after ${taken} frames`);
  }
});

test('two corrections of one object, fetched at once or one by one, come to the same', async () => {
  const { world, study, head } = await registered();
  const stepwise = new Grantee(world, study);
  await stepwise.take(released(world, study, head), head);
  const first = await correct(world, study, 'Abdomen');
  await stepwise.take(released(world, study, first), first);
  const second = await correct(world, study, 'Pelvis');
  await stepwise.take(released(world, study, second), second);
  const atOnce = new Grantee(world, study);
  await atOnce.take(released(world, study, second), second);
  assert.deepEqual(keysOf(stepwise.kept?.newest), keysOf(study.newest));
  assert.deepEqual(keysOf(atOnce.kept?.newest), keysOf(study.newest));
  assert.deepEqual([stepwise.kept?.objects.length, atOnce.kept?.objects.length], [5, 3]);
});

test('a version that leaves out what is held and puts nothing in its place is refused', async () => {
  const { world, study, head } = await registered();
  const grantee = new Grantee(world, study);
  await grantee.take(released(world, study, head), head);
  const fewer = study.objects.slice(0, 2);
  const commitment = commitmentTo(study, fewer);
  const frames = streamObjects({
    study,
    objects: fewer,
    skip: 0,
    clock: world.clock,
    groundAgainst: () => undefined,
    cut: () => undefined,
    onObjectSent: () => undefined,
  });
  await assert.rejects(grantee.take(frames, commitment), { code: 'TRANSFER_UNVERIFIED' });
});
