/**
 * Two destinations that are both trusted with corrections, each of which changes what it gets and sends it back to the
 * box: reception and forwarding together over one catalogue, as in a box.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { correctionsMax } from '../../firmware/src/ingest/limits.ts';
import type { DataSetHeader } from '../../firmware/src/ports.ts';
import { FakeScu, ForwardingScene } from '../support/forwarding-scene.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';
import { settle } from '../support/until.ts';

/** A circle that is still going round then goes round for ever. */
const roundsMax = 10 * correctionsMax;

/** What an archive makes of the study description that it gets. */
type Coerce = (description: string) => string;

const pixels = randomBytes(500);

/** A box between two archives. */
class Circle {
  readonly reception = new Reception();
  readonly #scene = new ForwardingScene(this.reception.clock);
  readonly #archives: readonly {
    readonly aeTitle: string;
    readonly scu: FakeScu;
    readonly coerce: Coerce;
    returned: number;
  }[];

  constructor(coercions: Readonly<Record<string, Coerce>>) {
    this.#archives = Object.entries(coercions).map(([aeTitle, coerce]) => ({
      ...{ aeTitle, coerce, returned: 0 },
      scu: new FakeScu(),
    }));
    this.#scene.catalogue = this.reception.catalogue;
  }

  async start(): Promise<void> {
    const destinations = this.#archives.map(({ aeTitle, scu }) =>
      this.#scene.destination({ name: aeTitle, aeTitle, sendsAs: [aeTitle], scu }),
    );
    await this.#scene.start(...destinations);
  }

  /** Until nobody has anything to send any more. Returns how often each archive was sent something. */
  async goRound(): Promise<readonly number[]> {
    for (let round = 0; round < roundsMax; round++) {
      await settle();
      let sentBack = 0;
      for (const archive of this.#archives) {
        for (const { dataSet } of archive.scu.stored.slice(archive.returned)) {
          archive.returned++;
          sentBack++;
          assert.equal(await this.#sendBack(archive.aeTitle, archive.coerce, dataSet), 0);
        }
      }
      if (sentBack === 0) return this.#archives.map(({ scu }) => scu.stored.length);
    }
    assert.fail(`it still goes round after ${roundsMax} rounds`);
  }

  async stop(): Promise<void> {
    await this.#scene.forwarding.stop();
  }

  #sendBack(callingAeTitle: string, coerce: Coerce, dataSet: Buffer): Promise<number> {
    const line = dataSet.subarray(0, dataSet.indexOf('\n')).toString();
    const kept = JSON.parse(line) as DataSetHeader;
    const coerced = { ...kept, studyDescription: coerce(kept.studyDescription ?? '') };
    const as = { ...request, callingAeTitle };
    return this.reception.send(plainDataSet(coerced, pixels), { as, mayCorrect: true });
  }

  get descriptions(): readonly (string | undefined)[] {
    const [study] = this.reception.studies;
    return study?.objects.map(({ header: { studyDescription } }) => studyDescription) ?? [];
  }

  get alarms(): readonly string[] {
    return this.reception.health.list().map(({ code }) => code);
  }
}

test('each makes something new of every version: a day has only so many, then a person is asked', async (t) => {
  const circle = new Circle({ NORTH: (was) => `${was}n`, SOUTH: (was) => `${was}s` });
  await circle.start();
  t.after(() => circle.stop());
  await circle.reception.send(plainDataSet(header, pixels));
  const sent = await circle.goRound();
  assert.equal(circle.descriptions.length, 1 + correctionsMax);
  const waiting = circle.reception.quarantine.list();
  assert.ok(waiting.length > 0 && waiting.every(({ reason }) => reason === 'corrected too often'));
  assert.deepEqual(circle.alarms, ['OBJECT_QUARANTINED']);
  // The original to both, and each version to the one that did not make it.
  assert.equal(
    sent.reduce((sum, count) => sum + count),
    2 + correctionsMax,
  );
});

test('each insists on its own value: two versions, and it is over without anybody', async (t) => {
  const circle = new Circle({ NORTH: () => 'north', SOUTH: () => 'south' });
  await circle.start();
  t.after(() => circle.stop());
  await circle.reception.send(plainDataSet(header, pixels));
  await circle.goRound();
  assert.deepEqual([...circle.descriptions].sort(), ['Thorax', 'north', 'south']);
  assert.deepEqual(circle.reception.quarantine.list(), []);
  assert.deepEqual(circle.alarms, []);
});

test('each adds what it is for: what both have touched is one version for each way round, and no more', async (t) => {
  const adding =
    (word: string): Coerce =>
    (was) =>
      was.includes(word) ? was : `${was} ${word}`;
  const circle = new Circle({ NORTH: adding('north'), SOUTH: adding('south') });
  await circle.start();
  t.after(() => circle.stop());
  await circle.reception.send(plainDataSet(header, pixels));
  await circle.goRound();
  assert.deepEqual(
    [...circle.descriptions].sort(),
    ['Thorax', 'Thorax north', 'Thorax north south', 'Thorax south', 'Thorax south north'].sort(),
  );
  assert.deepEqual(circle.alarms, []);
});
