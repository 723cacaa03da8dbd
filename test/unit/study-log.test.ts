/** The log of a study: what a power cut may leave of it, and what damage may make of it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import type { CborValue, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';
import {
  encodeFrame,
  encodeLogHeader,
  firstChain,
  frameHeadBytes,
  parseHead,
  parseLogHeader,
  type FrameKind,
} from '../../firmware/src/store/study-log-format.ts';
import { judgeTail } from '../../firmware/src/store/study-log-tail.ts';
import { smallFrameBytesMax, smallFramesReadBytes } from '../../firmware/src/store/limits.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { readStored } from '../support/stored-object.ts';
import vector from '../vectors/study-log.json' with { type: 'json' };

const boxKey = randomBytes(32);
const corrupt = { code: 'STORE_CORRUPT' };
const sectorBytes = 512;

test('golden vector: header, chain and a frame of each kind', () => {
  const header = encodeLogHeader({ studyRef: vector.studyRef, preparedBytes: 0 });
  assert.equal(toHex(header), vector.header);
  const prepared = { studyRef: vector.studyRef, preparedBytes: vector.preparedBytes };
  assert.equal(toHex(encodeLogHeader(prepared)), vector.preparedHeader);
  assert.deepEqual(parseLogHeader(fromHex(vector.preparedHeader)), prepared);
  assert.equal(toHex(firstChain(vector.studyRef)), vector.firstChain);
  let chain = firstChain(vector.studyRef);
  const log: Uint8Array[] = [header];
  for (const expected of vector.frames) {
    const kind = expected.kind as FrameKind;
    const content = { kind, record: fromHex(expected.record), data: [fromHex(expected.data)] };
    const frame = encodeFrame(content, expected.durable, chain);
    const bytes = concatBytes(...frame.pieces);
    assert.equal(toHex(bytes), expected.frame);
    assert.equal(toHex(frame.chain), expected.chain);
    assert.deepEqual(parseHead(bytes), {
      kind: expected.kind,
      recordBytes: content.record.length,
      dataBytes: expected.data.length / 2,
      durable: expected.durable,
      length: bytes.length,
    });
    ({ chain } = frame);
    log.push(bytes);
  }
  const sha256 = createHash('sha256')
    .update(concatBytes(...log))
    .digest('hex');
  assert.equal(sha256, vector.logSha256);
});

test('a head with any bit changed is none', () => {
  const head = fromHex(vector.frames[1]?.frame ?? '').subarray(0, frameHeadBytes);
  assert.ok(parseHead(head) !== undefined);
  for (let bit = 0; bit < 8 * head.length; bit++) {
    const changed = head.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(parseHead(changed), undefined, `bit ${bit}`);
  }
});

test('what is read of a log that was being written is bounded', () => {
  const rest = new Uint8Array(20_000_000).fill(1);
  assert.equal(judgeTail(rest, 64).kind, 'damaged');
});

/** What is appended at once: a record, or an object with its record. */
interface Item {
  readonly id: number;
  readonly body: Buffer | undefined;
}

interface Kept {
  readonly item: Item;
  readonly object: StoredObject | undefined;
}

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-study-log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** In one flush: nothing waits for anything between the first and the last. */
async function append(study: StudyFolder, items: readonly Item[]): Promise<Kept[]> {
  const ready = await Promise.all(
    items.map(async (item) => {
      if (item.body === undefined) return { item, sealed: undefined };
      const writer = study.createObject([]);
      await writer.write(item.body);
      return { item, sealed: await writer.finish() };
    }),
  );
  return Promise.all(
    ready.map(async ({ item, sealed }) => {
      if (sealed === undefined) {
        await study.append({ id: item.id, frame: null });
        return { item, object: undefined };
      }
      let object: StoredObject | undefined;
      await sealed.append((stored) => {
        object = stored;
        return { id: item.id, frame: stored.frame };
      });
      return { item, object };
    }),
  );
}

function idsOf(records: readonly CborValue[]): number[] {
  return records.map((record) => (record as { readonly id: number }).id);
}

/** The ids that are listed, in order, all objects read whole. @throws AppError STORE_CORRUPT. */
async function listed(folder: string, kept: readonly Kept[]): Promise<number[]> {
  const store = new StudyStore({ folder, boxKey });
  try {
    for await (const { folder: study, records } of store.open()) {
      const ids = idsOf(records);
      for (const { item, object } of kept)
        if (object !== undefined && item.body !== undefined && ids.includes(item.id))
          assert.ok((await readStored(study, object)).equals(item.body), `object ${item.id} is whole`);
      return ids;
    }
    return [];
  } finally {
    await store.close();
  }
}

const sizes = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: 3000 }),
  fc.integer({ min: 0, max: 20_000 }),
);
/** A place in a file, as a part of it. */
const places = fc.noBias(fc.integer({ min: 0, max: 999_999 })).map((n) => n / 1_000_000);
const sectorChoices = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 97, maxLength: 97 });
const groups = fc.array(fc.array(sizes, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 });

interface Written {
  readonly folder: string;
  readonly log: string;
  /** The file before the last group was written, and after. */
  readonly before: Buffer;
  readonly after: Buffer;
  readonly acknowledged: readonly Kept[];
  readonly last: readonly Kept[];
}

/** Writes these groups, the last as one flush; the box is not closed in good order. */
async function write(
  root: string,
  run: number,
  shape: readonly (readonly (number | undefined)[])[],
): Promise<Written> {
  const folder = join(root, run.toString());
  const store = new StudyStore({ folder, boxKey });
  for await (const found of store.open()) assert.fail(`a new store holds ${found.folder.ref}`);
  const study = await store.createStudy();
  const log = join(folder, study.ref, 'study.log');
  let id = 0;
  const items = shape.map((group) =>
    group.map((size) => ({ id: id++, body: size === undefined ? undefined : randomBytes(size) })),
  );
  const acknowledged = await append(study, [{ id: id++, body: undefined }]);
  for (const group of items.slice(0, -1)) {
    acknowledged.push(...(await append(study, group)));
    if (group.length === 3) await study.rest();
  }
  const before = await readFile(log);
  const last = await append(study, items.at(-1) ?? []);
  const after = await readFile(log);
  await store.close();
  return { folder, log, before, after, acknowledged, last };
}

test('of a flush that the power cut short any sectors may be there: whole objects are listed, in order, and what was acknowledged before', async (t) => {
  const root = await makeFolder(t);
  let run = 0;
  let cut = 0;
  await fc.assert(
    fc.asyncProperty(groups, sectorChoices, async (shape, choices) => {
      const { folder, log, before, after, acknowledged, last } = await write(root, run++, shape);
      const torn = Buffer.from(after);
      // Three of four sectors have reached the disk; or a few of them, or nearly all.
      const luck = choices[0];
      for (let at = 0; at < after.length; at += sectorBytes) {
        const choice = choices[(1 + at / sectorBytes) % choices.length] ?? 0;
        if (luck === 0 ? choice > 0 : luck === 1 ? choice === 0 : choice !== luck) continue;
        torn.fill(0, at, Math.min(at + sectorBytes, torn.length));
        torn.set(before.subarray(at, at + sectorBytes), at);
      }
      // Its new length may not have reached it either.
      await writeFile(log, luck === 3 ? torn.subarray(0, Math.max(before.length, 64)) : torn);
      const ids = await listed(folder, [...acknowledged, ...last]);
      const sure = acknowledged.map(({ item }) => item.id);
      const all = [...sure, ...last.map(({ item }) => item.id)];
      assert.deepEqual(ids.slice(0, sure.length), sure);
      assert.deepEqual(ids, all.slice(0, ids.length));
      if (ids.length < all.length) cut++;
      assert.deepEqual(
        await listed(folder, [...acknowledged, ...last]),
        ids,
        'and at the next start the same',
      );
    }),
    { seed: 31, numRuns: 70 },
  );
  assert.ok(cut > 20 && cut < 70, `${cut} of 70 were cut`);
});

test('a log that was cut short at any byte of its last flush lists whole objects, and goes on', async (t) => {
  const root = await makeFolder(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(groups, places, async (shape, part) => {
      const { folder, log, before, after, acknowledged, last } = await write(root, run++, shape);
      const from = before.findLastIndex((byte) => byte !== 0) + 1;
      const to = after.findLastIndex((byte) => byte !== 0) + 1;
      const at = from + Math.floor(part * (to - from));
      await writeFile(log, after.subarray(0, at));
      const ids = await listed(folder, [...acknowledged, ...last]);
      const all = [...acknowledged, ...last].map(({ item }) => item.id);
      assert.ok(ids.length >= acknowledged.length);
      assert.deepEqual(ids, all.slice(0, ids.length));
      const store = new StudyStore({ folder, boxKey });
      for await (const { folder: study } of store.open())
        await append(study, [{ id: 1000, body: undefined }]);
      await store.close();
      assert.deepEqual(await listed(folder, []), [...ids, 1000]);
    }),
    { seed: 32, numRuns: 30 },
  );
});

test('damage to what was on disk is never taken for a write that was cut short: nothing vanishes in silence', async (t) => {
  const root = await makeFolder(t);
  let run = 0;
  let noticed = 0;
  await fc.assert(
    fc.asyncProperty(
      groups,
      places,
      fc.constantFrom('bit', 'sector', 'end'),
      fc.boolean(),
      async (shape, part, kind, rested) => {
        const { folder, log, before, after, acknowledged, last } = await write(root, run++, shape);
        // At rest the mark vouches for all; otherwise whatever stands before the last flush is vouched for by it.
        const whole = rested ? await readFile(log) : after;
        const confirmed = rested ? whole.length - 57 : before.findLastIndex((byte) => byte !== 0) + 1;
        const byte = Math.floor(part * confirmed);
        const at = kind === 'sector' ? byte - (byte % sectorBytes) : byte;
        const damaged = Buffer.from(whole);
        if (kind === 'bit') damaged[at] = (damaged[at] ?? 0) ^ 0x10;
        else damaged.fill(0, at, kind === 'sector' ? Math.min(at + sectorBytes, confirmed) : confirmed);
        if (damaged.equals(whole)) return;
        await writeFile(log, damaged);
        const kept = [...acknowledged, ...last];
        // Within an object when it is read, anywhere else at the start.
        const outcome = await listed(folder, kept).then(
          (ids) => ids,
          (error: unknown) => error,
        );
        assert.equal(
          (outcome as { code?: string }).code,
          'STORE_CORRUPT',
          `${kind} at ${at}: ${String(outcome)}`,
        );
        noticed++;
      },
    ),
    { seed: 33, numRuns: 80 },
  );
  assert.ok(noticed > 60);
});

test('a mark that nobody waited for vouches for what precedes it, not for itself', async (t) => {
  const folder = join(await makeFolder(t), 'store');
  const store = new StudyStore({ folder, boxKey });
  for await (const found of store.open()) assert.fail(`a new store holds ${found.folder.ref}`);
  const study = await store.createStudy();
  const log = join(folder, study.ref, 'study.log');
  const kept = await append(study, [{ id: 0, body: randomBytes(700) }]);
  const end = (await readFile(log)).findLastIndex((byte) => byte !== 0) + 1;
  await study.rest();
  const later = [1, 2].map((id) => ({ id, body: randomBytes(2000) }));
  kept.push(...(await append(study, later)));
  const torn = await readFile(log);
  await store.close();
  // Of mark and frames, which one flush was to bring to the disk, the first sector is missing.
  torn.fill(0, end, end - (end % sectorBytes) + sectorBytes);
  await writeFile(log, torn);
  assert.deepEqual(await listed(folder, kept), [0]);
});

test('a log that is shorter than what its frames vouch for is damage', async (t) => {
  const { folder, log, after } = await write(await makeFolder(t), 0, [[100], [200], [300]]);
  for (const length of [0, 10, 63]) {
    await writeFile(log, after.subarray(0, length));
    await assert.rejects(listed(folder, []), corrupt);
  }
});

test('frames are found wherever what is read at once begins and ends', { timeout: 120_000 }, async (t) => {
  const folder = await makeFolder(t);
  const largest = 3 * smallFramesReadBytes;
  const bytes = fc.oneof(
    fc.nat(3000),
    fc.integer({ min: smallFrameBytesMax - 2000, max: smallFrameBytesMax + 100 }),
    fc.integer({ min: smallFramesReadBytes - 200, max: smallFramesReadBytes + 200 }),
    fc.integer({ min: 0, max: largest }),
  );
  const item = fc.record({ recordBytes: bytes, objectBytes: fc.option(bytes) });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), async (items) => {
      const store = new StudyStore({ folder, boxKey });
      const study = await store.createStudy();
      const written: CborValue[] = [];
      for (const { recordBytes, objectBytes } of items) {
        const record = { text: 'r'.repeat(recordBytes) };
        written.push(record);
        if (objectBytes === null) await study.append(record);
        else {
          const writer = study.createObject([]);
          await writer.write(new Uint8Array(objectBytes));
          await (await writer.finish()).append(() => record);
        }
      }
      await store.close();
      const again = new StudyStore({ folder, boxKey });
      const found: CborValue[] = [];
      for await (const { folder: kept, records } of again.open()) {
        found.push(...records);
        await kept.remove();
      }
      await again.close();
      assert.deepEqual(found, written);
    }),
    { numRuns: 60, seed: 1 },
  );
});
