/** Power loss and a log in pieces: while it grows, while its oldest pieces are dropped, and while it begins elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { FileLogFolder } from '../../firmware/src/store/file-log-folder.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import { SegmentedLog } from '../../firmware/src/store/segmented-log.ts';
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
import { randomFrom } from './random.ts';

const bytesMax = 400;
const newStart = 500;

async function openLog(files: FileSystem): Promise<SegmentedLog> {
  const options = { domain: 'test', damageCode: 'STORE_CORRUPT', allocationBytes: 2048, files } as const;
  return await SegmentedLog.open(await FileLogFolder.open('/data/blocks', options), bytesMax);
}

function record(index: number): Uint8Array {
  return utf8(`record ${index} `.repeat(8));
}

/** What the disk had acknowledged at an event, from there on. */
interface Promised {
  readonly events: number;
  readonly act: string;
  readonly first: number;
  readonly length: number;
}

async function story(disk: PowerCutDisk): Promise<Promised[]> {
  const log = await openLog(disk);
  const promised: Promised[] = [{ events: disk.events, act: 'open', first: 0, length: 0 }];
  const done = (act: string): void => {
    promised.push({ events: disk.events, act, first: log.first, length: log.length });
  };
  const grow = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) {
      await log.append([record(log.length)]);
      done('append');
    }
  };
  await grow(12);
  await log.dropBefore(9);
  done('drop');
  await grow(3);
  await log.restartAt(newStart);
  done('restart');
  await grow(5);
  await log.close();
  return promised;
}

function* imagesAt(disk: PowerCutDisk, events: number): Generator<DiskImage> {
  for (const fates of [allDropped, allKept, bytesKeptNamesDropped, namesKeptBytesDropped])
    yield disk.cutAfter(events, fates, randomFrom(events));
  for (let seed = 0; seed < 3; seed++)
    yield disk.cutAfter(events, anyOf(randomFrom(events * 10 + seed)), randomFrom(seed));
}

test('after a cut at any moment it holds what was acknowledged, without a gap, and goes on', async () => {
  const disk = new PowerCutDisk(emptyDisk, randomFrom(4));
  await disk.makeFolder('/data');
  await disk.syncFolder('/');
  const promised = await story(disk);
  const outcomes = new Set<string>();
  for (let events = promised[0]?.events ?? 0; events <= disk.events; events++) {
    const last = promised.findLast((each) => each.events <= events);
    const next = promised.find((each) => each.events > events);
    assert.ok(last !== undefined);
    for (const image of imagesAt(disk, events)) {
      const log = await openLog(new PowerCutDisk(image, randomFrom(events)));
      for (let index = log.first; index < log.length; index++)
        assert.deepEqual(new Uint8Array(await log.at(index)), record(index));
      const where = `cut after event ${events}, before ${next?.act ?? 'the end'}`;
      if (next?.act === 'restart') {
        // The newest records, none, or the new beginning: never older ones without newer.
        const isOld = log.length === last.length && log.first >= last.first;
        assert.ok(isOld || log.length === 0 || log.first === newStart, where);
        outcomes.add(isOld ? 'old' : log.length === 0 ? 'none' : 'new');
      } else {
        assert.ok(log.length >= last.length && log.length <= (next?.length ?? last.length), where);
        assert.ok(log.first >= last.first && log.first <= (next?.first ?? last.first), where);
      }
      await log.append([record(log.length)]);
      assert.deepEqual(new Uint8Array(await log.at(log.length - 1)), record(log.length - 1));
      await log.close();
    }
  }
  assert.deepEqual([...outcomes].sort(), ['new', 'none', 'old']);
});
