/** Power loss and the files beside the studies: vote log and block log, and the keys that the box key wraps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { dataKey } from '../../firmware/src/store/data-folder.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import {
  allDropped,
  allKept,
  anyOf,
  bytesKeptNamesDropped,
  emptyDisk,
  namesKeptBytesDropped,
  PowerCutDisk,
  type DiskImage,
} from '../fakes/power-cut-disk.ts';
import { VirtualTime } from '../fakes/virtual-clock.ts';
import { randomFrom, type Random } from './random.ts';
import { SimDisk } from './sim-disk.ts';

const folder = '/data';
const randomCuts = 8;

async function freshDisk(seed: number): Promise<PowerCutDisk> {
  const disk = new PowerCutDisk(emptyDisk, randomFrom(seed));
  await disk.makeFolder(folder);
  await disk.syncFolder('/');
  return new PowerCutDisk(disk.cutAfter(disk.events, allDropped, randomFrom(0)), randomFrom(seed));
}

/** What a cut after so many events may leave. */
function* imagesAt(disk: PowerCutDisk, events: number): Generator<DiskImage> {
  const fixed = [allDropped, allKept, bytesKeptNamesDropped, namesKeptBytesDropped];
  for (const fates of fixed) yield disk.cutAfter(events, fates, randomFrom(events));
  for (let seed = 0; seed < randomCuts; seed++) {
    const random = randomFrom(events * 1_000 + seed);
    yield disk.cutAfter(events, anyOf(random), random);
  }
}

/** The records that a log may hold, by how far what was asked of it had come. */
class LogStory {
  /** After each request, in order; the first is the empty log. */
  readonly states: (readonly string[])[];
  /** Events of the disk when each state was asked for, and when it was acknowledged. */
  readonly #asked: number[] = [0];
  readonly #acknowledged: number[] = [0];
  readonly #disk: PowerCutDisk;

  constructor(disk: PowerCutDisk, state: readonly string[]) {
    this.#disk = disk;
    this.states = [state];
  }

  async append(log: FileAppendLog, ...names: readonly string[]): Promise<void> {
    const state = this.states.at(-1) ?? [];
    await this.#perform([...state, ...names], log.append(names.map(utf8)));
  }

  async replace(log: FileAppendLog, names: readonly string[]): Promise<void> {
    await this.#perform(names, log.replace(names.map(utf8)));
  }

  /** States in which a cut after so many events may leave the log. */
  possibleAt(events: number): readonly (readonly string[])[] {
    const least = this.#acknowledged.findLastIndex((at) => at <= events);
    const most = this.#asked.findLastIndex((at) => at <= events);
    return this.states.slice(least, most + 1);
  }

  async #perform(state: readonly string[], done: Promise<void>): Promise<void> {
    const number = this.states.push(state) - 1;
    this.#asked[number] = this.#disk.events;
    this.#acknowledged[number] = Infinity;
    await done;
    this.#acknowledged[number] = this.#disk.events;
  }
}

async function recordsOf(log: FileAppendLog): Promise<string[]> {
  const found: string[] = [];
  for await (const record of log.read()) found.push(Buffer.from(record).toString());
  return found;
}

for (const keepsSpare of [true, false]) {
  const open = (files: FileSystem) =>
    FileAppendLog.open(`${folder}/votes.log`, {
      domain: 'votes',
      damageCode: 'VOTE_LOG_CORRUPT',
      allocationBytes: 4096,
      keepsSpare,
      files,
    });

  /** Some of what comes is longer than a sector, some shorter; some waits for others. */
  const tell = async (disk: PowerCutDisk, known: readonly string[]): Promise<LogStory> => {
    const log = await open(disk);
    const story = new LogStory(disk, known);
    await story.append(log, 'first');
    await Promise.all([
      story.append(log, 'a'.repeat(700)),
      story.append(log, 'b', 'c'),
      story.append(log, 'd'.repeat(1_500)),
    ]);
    await story.replace(log, ['begun anew', 'e'.repeat(600)]);
    await story.append(log, 'last');
    await log.close();
    return story;
  };

  const survive = async (image: DiskImage, possible: readonly (readonly string[])[], random: Random) => {
    const disk = new PowerCutDisk(image, random);
    const log = await open(disk);
    const found = await recordsOf(log);
    assert.ok(
      possible.some((state) => JSON.stringify(state) === JSON.stringify(found)),
      `found ${JSON.stringify(found)}`,
    );
    const story = new LogStory(disk, found);
    await story.append(log, 'after the cut');
    await log.close();
    const again = await open(new PowerCutDisk(disk.cutAfter(disk.events, anyOf(random), random), random));
    assert.deepEqual(await recordsOf(again), story.states.at(-1));
    await again.close();
  };

  test(`a log ${keepsSpare ? 'with' : 'without'} a spare keeps what it acknowledged, and is whole, old or new`, async (t) => {
    const disk = await freshDisk(7);
    const story = await tell(disk, []);
    let cuts = 0;
    for (let events = 0; events <= disk.events; events++) {
      for (const image of imagesAt(disk, events)) {
        cuts += 1;
        try {
          await survive(image, story.possibleAt(events), randomFrom(cuts));
        } catch (cause) {
          throw new Error(`cut ${cuts}, after ${events} events`, { cause });
        }
      }
    }
    t.diagnostic(`${cuts} cuts`);
  });

  test(`what a log ${keepsSpare ? 'with' : 'without'} a spare shows after a kill stands, though the power goes next`, async () => {
    const { signal } = new AbortController();
    for (let requests = 1, isCut = true; isCut; requests++) {
      const time = new VirtualTime(0);
      const disk = new SimDisk({ random: randomFrom(requests), events: time.events });
      /** What comes of it in virtual time; undefined if its process was killed. */
      const outcome = async <Result>(begun: Promise<Result>): Promise<Result | undefined> => {
        let result: Result | undefined;
        void begun.then((value) => (result = value));
        await time.pass(60_000);
        return result;
      };
      const plain = disk.filesFor(signal, () => undefined);
      await outcome(plain.makeFolder(folder).then(() => plain.syncFolder('/')));
      const life = new AbortController();
      let left = requests;
      const killed = disk.filesFor(life.signal, () => {
        if (--left === 0) life.abort();
      });
      await outcome(write(killed));
      isCut = life.signal.aborted;
      const shown = await outcome(open(plain).then(recordsOf));
      disk.cutPower();
      const kept = await outcome(open(disk.filesFor(signal, () => undefined)).then(recordsOf));
      assert.deepEqual(kept, shown, `killed at request ${requests}`);
    }
  });

  const write = async (files: FileSystem): Promise<void> => {
    const log = await open(files);
    await log.append([utf8('first')]);
    await log.append([utf8('a'.repeat(700)), utf8('b')]);
    await log.replace([utf8('begun anew')]);
    await log.append([utf8('last')]);
  };
}

test('a data key is made once, and opens after a cut at any point', async () => {
  const boxKey = new Uint8Array(32).fill(7);
  const disk = await freshDisk(3);
  const key = toHex(await dataKey(folder, 'index', boxKey, disk));
  for (let events = 0; events <= disk.events; events++) {
    for (const image of imagesAt(disk, events)) {
      const after = new PowerCutDisk(image, randomFrom(1));
      const found = toHex(await dataKey(folder, 'index', boxKey, after));
      if (events === disk.events) assert.equal(found, key, 'a key that was used is never made anew');
      assert.equal(toHex(await dataKey(folder, 'index', boxKey, after)), found);
    }
  }
});
