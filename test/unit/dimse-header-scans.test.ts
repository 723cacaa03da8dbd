/** Long headers off the event loop: what is done there is bounded, and what one sender's header costs nobody waits for. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { explicitLittleEndian } from '../../firmware/dimse/data-set-syntax.ts';
import { encodeElement } from '../../firmware/dimse/element-encoder.ts';
import type { Thread } from '../../firmware/dimse/header-thread.ts';
import type { HeaderWorkerAnswer, HeaderWorkerRequest } from '../../firmware/dimse/header-worker.ts';
import { HeaderScans, type LoopWork, scanHeader, uids } from '../../firmware/dimse/index.ts';
import { joinBytes } from '../../firmware/dimse/join-bytes.ts';
import {
  deflatedHeaderBytesOnLoopMax,
  headerBytesMax,
  headerBytesOnLoopMax,
  headerElementsOnLoopMax,
  headerScanMsMax,
  headerTextBytesOnLoopMax,
  headerValueBytesMax,
} from '../../firmware/dimse/limits.ts';
import { concatBytes, fromHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { DataSetHeader, HeaderScan, HeaderScanner } from '../../firmware/src/ports.ts';
import { settle } from '../support/dimse-peer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const options = { timeout: 60_000 };
const chunkBytes = 65_536;
const syntax = uids.explicitVrLittleEndian;

const element = (tag: number, vr: string, text: string): Uint8Array =>
  encodeElement(explicitLittleEndian, tag, vr, utf8(text));
const beginning = element(0x00080018, 'UI', '1.2.3.4\0');
const ending = concatBytes(
  element(0x0020000d, 'UI', '1.2.3\0'),
  element(0x0020000e, 'UI', '1.2.3.1\0'),
  element(0x00280010, 'US', '\0\x01'),
);
const usual = concatBytes(beginning, ending);
const expected = { sopInstanceUid: '1.2.3.4', studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.3.1' };
const complete: HeaderScan = { kind: 'complete', elements: expected };

const repeated = (piece: Uint8Array, times: number): Uint8Array =>
  joinBytes(Array.from({ length: times }, () => piece));
const emptyElement = fromHex('0800ff0053480000');
/** Sequences in each other, opened and never closed, as deep as is allowed; then items by the thousand. */
const deep = concatBytes(
  repeated(fromHex('0800111153510000ffffffff' + 'feff00e0ffffffff'), 60),
  repeated(emptyElement, 100_000),
);
const privateBytes = (length: number): Uint8Array =>
  encodeElement(explicitLittleEndian, 0x00091010, 'UN', new Uint8Array(length));

/** Katakana and Latin in turns, in every description and name that is read. */
const longText = concatBytes(
  element(0x00080005, 'CS', 'ISO 2022 IR 13'),
  beginning,
  ...[0x00080080, 0x00080090, 0x00081030, 0x0008103e, 0x00100010, 0x00100020].map((tag) =>
    encodeElement(
      explicitLittleEndian,
      tag,
      'LO',
      Uint8Array.from({ length: headerValueBytesMax }, (_, index) => (index % 2 === 0 ? 0xb1 : 0x41)),
    ),
  ),
  ending,
);

/** Headers that cost more than a usual one, and what is found in them. */
const hostile: readonly (readonly [string, string, Uint8Array, RegExp | undefined])[] = [
  ['many elements', syntax, concatBytes(beginning, repeated(emptyElement, 60_000), ending), undefined],
  ['too many elements', syntax, concatBytes(beginning, repeated(emptyElement, 500_001), ending), /elements/],
  ['a long private element', syntax, concatBytes(beginning, privateBytes(3_000_000), ending), undefined],
  [
    'deep and never closed',
    syntax,
    concatBytes(beginning, deep, new Uint8Array(8)),
    /must stand|ends within/,
  ],
  ['long text that switches its set with each character', syntax, longText, undefined],
  ['a header without end', syntax, fromHex('09001010554e0000feffffff'), /ends within/],
  [
    'a deflate bomb',
    uids.deflatedExplicitVrLittleEndian,
    deflateRawSync(concatBytes(fromHex('09001010554e0000feffffff'), new Uint8Array(64 << 20))),
    /inflates to more/,
  ],
  [
    'a long deflated header',
    uids.deflatedExplicitVrLittleEndian,
    deflateRawSync(
      concatBytes(
        beginning,
        encodeElement(explicitLittleEndian, 0x00091010, 'UN', randomBytes(200_000)),
        ending,
      ),
    ),
    undefined,
  ],
];

const uidsOf = ({ sopInstanceUid, studyInstanceUid, seriesInstanceUid }: DataSetHeader): object => ({
  sopInstanceUid,
  studyInstanceUid,
  seriesInstanceUid,
});

const running: HeaderScans[] = [];
afterEach(async () => {
  for (const scans of running.splice(0)) await scans.stop();
});

function make(change: { readonly openThread?: () => Thread } = {}) {
  const work: LoopWork[] = [];
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const scans = new HeaderScans({ clock, logger, onLoopWork: (one) => work.push(one), ...change });
  running.push(scans);
  return { scans, work, clock };
}

async function scanned(scanner: HeaderScanner, bytes: Uint8Array, size = chunkBytes): Promise<HeaderScan> {
  let result: HeaderScan = { kind: 'more' };
  for (let at = 0; at < bytes.length && result.kind === 'more'; at += size)
    result = await scanner.push(bytes.subarray(at, at + size));
  return result.kind === 'more' ? scanner.end() : result;
}

const sum = (work: readonly LoopWork[], what: keyof LoopWork): number =>
  work.reduce((total, one) => total + one[what], 0);

test('a usual header is read where it arrives, and no thread is begun', () => {
  const { scans } = make({
    openThread: () => {
      throw new Error('a thread was begun');
    },
  });
  assert.deepEqual(scans.open(syntax).push(usual), complete);
  const short = scans.open(syntax);
  assert.deepEqual(short.push(beginning), { kind: 'more' });
  assert.deepEqual(short.end(), { kind: 'complete', elements: { sopInstanceUid: '1.2.3.4' } });
  const deflated = deflateRawSync(concatBytes(usual, element(0x7fe00010, 'OB', '\0'.repeat(3_000))));
  assert.deepEqual(scans.open(uids.deflatedExplicitVrLittleEndian).push(deflated), { kind: 'more' });
});

test('of a hostile header no more than the stated beginning is read on the event loop', options, async () => {
  for (const [name, uid, bytes, reason] of hostile) {
    const { scans, work } = make();
    const result = await scanned(scans.open(uid), bytes);
    if (reason === undefined)
      assert.deepEqual(result.kind === 'complete' && uidsOf(result.elements), expected, name);
    else assert.match(result.kind === 'malformed' ? result.reason : result.kind, reason, name);
    const bytesMax = uid === syntax ? headerBytesOnLoopMax : deflatedHeaderBytesOnLoopMax;
    assert(sum(work, 'bytes') <= bytesMax + chunkBytes, `${name}: ${sum(work, 'bytes')} bytes`);
    assert(
      sum(work, 'elements') <= headerElementsOnLoopMax + 1,
      `${name}: ${sum(work, 'elements')} elements`,
    );
    assert(sum(work, 'textBytes') <= headerTextBytesOnLoopMax, `${name}: ${sum(work, 'textBytes')} of text`);
  }
});

test('a header is judged alike wherever it is read, and in whatever pieces', options, async () => {
  const { scans } = make();
  const part = fc.constantFrom(
    beginning,
    ending,
    element(0x00100020, 'LO', '007 '),
    element(0x00081030, 'LO', 'x'.repeat(headerTextBytesOnLoopMax)),
    repeated(emptyElement, headerElementsOnLoopMax),
    privateBytes(headerBytesOnLoopMax),
    fromHex('0800111153510000ffffffff'),
    fromHex('feff00e0ffffffff'),
    fromHex('feff0de000000000'),
    fromHex('feffdde000000000'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 8 }),
      fc.integer({ min: 30_000, max: 400_000 }),
      async (parts, size) => {
        const bytes = concatBytes(...parts);
        assert.deepEqual(
          await scanned(scans.open(syntax), bytes, size),
          scanHeader(bytes, syntax, { atEnd: true }),
        );
      },
    ),
    { numRuns: 60, seed: 11 },
  );
});

/** A thread that answers only when it is told to. */
class StuckThread implements Thread {
  readonly requests: HeaderWorkerRequest[] = [];
  ended = false;
  answer: (answer: HeaderWorkerAnswer) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  postMessage(request: HeaderWorkerRequest): void {
    this.requests.push(request);
  }

  on(event: string, listener: (value: never) => void): void {
    if (event === 'online') (listener as () => void)();
    if (event === 'message') this.answer = listener as StuckThread['answer'];
    if (event === 'error') this.fail = listener as StuckThread['fail'];
  }

  async terminate(): Promise<void> {
    this.ended = true;
  }
}

const long = concatBytes(beginning, privateBytes(2 * headerBytesOnLoopMax));

test('while the thread is busy with one header, usual ones go on, and its own sender waits', async () => {
  const thread = new StuckThread();
  const { scans } = make({ openThread: () => thread });
  let answered = false;
  const held = scans.open(syntax).push(long);
  assert(held instanceof Promise);
  void held.then(() => {
    answered = true;
  });
  for (let object = 0; object < 100; object++) assert.deepEqual(scans.open(syntax).push(usual), complete);
  await settle();
  assert.equal(answered, false);
  thread.answer({ kind: 'more' });
  assert.deepEqual(await held, { kind: 'more' });
});

test('a header that takes too long is given up with its thread; another that was there begins anew', async () => {
  const threads: StuckThread[] = [];
  const { scans, clock } = make({
    openThread: () => {
      const thread = new StuckThread();
      threads.push(thread);
      return thread;
    },
  });
  const patient = scans.open(syntax);
  const first = patient.push(long);
  threads[0]?.answer({ kind: 'more' });
  assert.deepEqual(await first, { kind: 'more' });
  const endless = scans.open(syntax).push(long);
  const second = patient.push(usual);
  clock.advance(headerScanMsMax);
  assert.deepEqual(await endless, {
    kind: 'malformed',
    reason: `the header cannot be read within ${headerScanMsMax} ms`,
  });
  assert.equal(threads[0]?.ended, true);
  const again = threads[1]?.requests[0];
  assert(again?.kind === 'scan');
  assert.equal(again.transferSyntaxUid, syntax);
  assert.deepEqual(concatBytes(...again.chunks), concatBytes(long, usual));
  threads[1]?.answer(complete);
  assert.deepEqual(await second, complete);
  // What the ended thread still says is nobody's.
  threads[0]?.answer({ kind: 'more' });
});

test('a thread that ends of itself costs the header that it had; a scan that is closed is forgotten', async () => {
  const threads: StuckThread[] = [];
  const { scans } = make({
    openThread: () => {
      const thread = new StuckThread();
      threads.push(thread);
      return thread;
    },
  });
  const held = scans.open(syntax).push(long);
  threads[0]?.fail(new Error('out of memory'));
  assert.equal((await held).kind, 'malformed');
  const scanner = scans.open(syntax);
  const begun = scanner.push(long);
  threads[1]?.answer({ kind: 'more' });
  await begun;
  scanner.close();
  assert.deepEqual(
    threads[1]?.requests.map(({ kind }) => kind),
    ['scan', 'forget'],
  );
});

test('a thread that cannot be started is a fault of ours, not of the header; the next header tries again', async () => {
  const threads: StuckThread[] = [];
  const { scans } = make({
    openThread: () => {
      const thread = new StuckThread();
      const on = thread.on.bind(thread);
      if (threads.length === 0)
        thread.on = (event, listener) => (event === 'online' ? undefined : on(event, listener));
      threads.push(thread);
      return thread;
    },
  });
  const held = scans.open(syntax).push(long);
  const next = scans.open(syntax).push(long);
  threads[0]?.fail(new Error('no threads left'));
  await assert.rejects(Promise.resolve(held), /cannot be started/);
  threads[1]?.answer(complete);
  assert.deepEqual(await next, complete);
});

test('a machine that refuses a thread fails the headers that need one, and holds up none that comes later', async () => {
  const threads: StuckThread[] = [];
  let isRefusing = true;
  const { scans } = make({
    openThread: () => {
      if (isRefusing) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
      const thread = new StuckThread();
      threads.push(thread);
      return thread;
    },
  });
  const push = async (): Promise<unknown> => scans.open(syntax).push(long);
  await assert.rejects(push(), /cannot be started/);
  isRefusing = false;
  const [held, behind] = [push(), push()];
  isRefusing = true;
  assert.equal(threads.length, 1);
  // Its replacement is refused: that is told to the one that waited for it.
  threads[0]?.fail(new Error('out of memory'));
  assert.deepEqual(await held, { kind: 'malformed', reason: 'the header is more than its reader can bear' });
  await assert.rejects(behind, /cannot be started/);
  isRefusing = false;
  const last = push();
  threads[1]?.answer(complete);
  assert.deepEqual(await last, complete);
});

test('a real thread gives up a header of more than any may have', options, async () => {
  const { scans } = make();
  const scanner = scans.open(syntax);
  const chunk = new Uint8Array(1 << 20);
  let result = await scanner.push(fromHex('09001010554e0000feffffff'));
  let pushed = 0;
  for (; result.kind === 'more'; pushed += chunk.length) result = await scanner.push(chunk);
  assert.match(result.kind === 'malformed' ? result.reason : '', /not reached/);
  assert(pushed <= headerBytesMax + 2 * chunk.length);
});
