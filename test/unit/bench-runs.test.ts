/** What the bench makes of its runs, and that its objects are what their table says. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPart10Header, scanHeader } from '../../firmware/dimse/index.ts';
import { median, Runs } from '../bench/ingest/runs.ts';
import { ctSlices, smallObjects, Workload } from '../bench/ingest/workload.ts';

test('the median is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([]), Number.NaN);
});

test('a ratio compares runs of the same round, throughput over throughput', () => {
  const runs = new Runs();
  for (const [round, ours, theirs] of [
    [0, 2, 1],
    [1, 1, 3],
    [2, 4, 4],
  ] as const) {
    runs.add({ case: 'ct', receiver: 'box', round, seconds: ours });
    runs.add({ case: 'ct', receiver: 'peer', round, seconds: theirs });
  }
  runs.add({ case: 'small', receiver: 'box', round: 0, seconds: 100 });
  assert.equal(runs.ratio('ct', 'peer'), 1);
  assert.equal(runs.median('ct', 'box'), 2);
  assert.equal(runs.ratio('big', 'peer'), Number.NaN);
});

async function identities(workload: Workload): Promise<{ study: string; objects: string[] }> {
  const studies = new Set<string>();
  const objects: string[] = [];
  for (const path of workload.files) {
    const file = await readFile(path);
    const header = readPart10Header(file);
    assert(header.kind === 'complete');
    const scanned = scanHeader(file.subarray(header.dataSetOffset), header.meta.transferSyntaxUid);
    assert(scanned.kind === 'complete');
    assert.equal(scanned.elements.sopInstanceUid, header.meta.sopInstanceUid);
    studies.add(scanned.elements.studyInstanceUid ?? '');
    objects.push(scanned.elements.sopInstanceUid ?? '');
  }
  assert.equal(studies.size, 1);
  return { study: [...studies][0] ?? '', objects };
}

test('a workload has the size that it says, and is another study after each renewal', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-workload-'));
  t.after(() => rm(folder, { recursive: true }));
  const workload = await Workload.make(join(folder, 'small'), smallObjects(3));
  const before = await identities(workload);
  const { bytes } = workload;
  assert(bytes / 3 > 20_000 && bytes / 3 < 22_000, `${bytes / 3} bytes an object`);
  await workload.renew();
  const after = await identities(workload);
  assert.equal(workload.bytes, bytes);
  assert.notEqual(after.study, before.study);
  assert.equal(new Set([...before.objects, ...after.objects]).size, 6);
  const slices = await Workload.make(join(folder, 'ct'), ctSlices(1));
  assert(slices.bytes > 524_288 && slices.bytes < 530_000, `${slices.bytes} bytes a slice`);
});
