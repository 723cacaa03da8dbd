/** The header scanner on hostile input: bounded, linear, never throwing; and what it must not be fooled by. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import {
  explicitLittleEndian,
  implicitLittleEndian,
  type ElementEncoding,
} from '../../firmware/dimse/data-set-syntax.ts';
import { DataSetReader } from '../../firmware/dimse/data-set-reader.ts';
import { joinBytes } from '../../firmware/dimse/join-bytes.ts';
import { encodeElement, encodeSequence } from '../../firmware/dimse/element-encoder.ts';
import { HeaderScanner, scanHeader, uids } from '../../firmware/dimse/index.ts';
import {
  headerBytesMax,
  headerDepthMax,
  headerElementsMax,
  headerValueBytesMax,
} from '../../firmware/dimse/limits.ts';
import { concatBytes, fromHex, utf8 } from '../../firmware/src/encoding/bytes.ts';

const options = { timeout: 60_000 };

const element = (
  tag: number,
  vr: string,
  text: string,
  encoding: ElementEncoding = explicitLittleEndian,
): Uint8Array => encodeElement(encoding, tag, vr, utf8(text));

const beyond = (encoding: ElementEncoding = explicitLittleEndian): Uint8Array =>
  element(0x00280010, 'US', '\0\x01', encoding);

/** A header with the elements that matter. */
function header(encoding: ElementEncoding, between: Uint8Array = new Uint8Array(0)): Uint8Array {
  return concatBytes(
    element(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2\0', encoding),
    element(0x00080018, 'UI', '1.2.3.4', encoding),
    between,
    element(0x00100010, 'PN', 'Doe^Jane ', encoding),
    element(0x00100020, 'LO', ' 007', encoding),
    element(0x0020000d, 'UI', '1.2.3\0', encoding),
    element(0x0020000e, 'UI', '1.2.3.1\0', encoding),
  );
}

const expected = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3.4',
  patientName: 'Doe^Jane',
  patientId: '007',
  studyInstanceUid: '1.2.3',
  seriesInstanceUid: '1.2.3.1',
};

/** Sequences of undefined length within each other. */
function nestedSequences(depth: number, encoding: ElementEncoding): Uint8Array {
  const explicit = encoding.explicitVr;
  const begin = fromHex(
    explicit ? '08001111' + '53510000ffffffff' + 'feff00e0ffffffff' : '08001111ffffffff' + 'feff00e0ffffffff',
  );
  const end = fromHex('feff0de000000000' + 'feffdde000000000');
  return concatBytes(
    ...Array.from({ length: depth }, () => begin),
    ...Array.from({ length: depth }, () => end),
  );
}

test(
  'complete as soon as a later element is met; more before; at the end with what there is',
  options,
  () => {
    for (const [uid, encoding] of [
      [uids.explicitVrLittleEndian, explicitLittleEndian],
      [uids.implicitVrLittleEndian, implicitLittleEndian],
      [uids.explicitVrBigEndian, { explicitVr: true, littleEndian: false }],
      ['1.2.840.113619.5.2', implicitLittleEndian],
      ['1.2.840.10008.1.2.4.90', explicitLittleEndian],
    ] as const) {
      const bytes = header(encoding, encoding.littleEndian ? nestedSequences(3, encoding) : undefined);
      assert.equal(scanHeader(bytes, uid).kind, 'more');
      assert.deepEqual(
        scanHeader(bytes, uid, { atEnd: true }),
        { kind: 'complete', elements: expected },
        uid,
      );
      const cut = concatBytes(bytes, beyond(encoding).subarray(0, 8));
      assert.deepEqual(scanHeader(cut, uid), { kind: 'complete', elements: expected }, uid);
    }
    assert.deepEqual(scanHeader(new Uint8Array(0), uids.explicitVrLittleEndian, { atEnd: true }), {
      kind: 'complete',
      elements: {},
    });
  },
);

test('values within sequences are not taken for the object’s own', options, () => {
  const inner = concatBytes(element(0x00100020, 'LO', 'OTHER '), element(0x0020000d, 'UI', '9.9.9\0'));
  const referenced = encodeSequence(explicitLittleEndian, 0x00081110, inner);
  const privateUn = fromHex(
    '09001010554e0000ffffffff' +
      'feff00e0ffffffff' +
      '10002000040000004f544852' +
      'feff0de000000000feffdde000000000',
  );
  const bytes = concatBytes(header(explicitLittleEndian, concatBytes(referenced, privateUn)), beyond());
  assert.deepEqual(scanHeader(bytes, uids.explicitVrLittleEndian), { kind: 'complete', elements: expected });
});

test('what cannot be trusted is malformed, with its reason', options, () => {
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      'two Patient IDs',
      concatBytes(header(explicitLittleEndian), element(0x00100020, 'LO', 'B ')),
      /\(0010,0020\) stands twice/,
    ],
    [
      'a delimiter outside',
      concatBytes(header(explicitLittleEndian), fromHex('feffdde000000000')),
      /outside of a sequence/,
    ],
    ['a long UID', element(0x00080018, 'UI', '1'.repeat(headerValueBytesMax + 2)), /too long/],
    ['a UID of undefined length', fromHex('08001800554e0000ffffffff'), /too long/],
    [
      'an element for an item',
      fromHex('0800111153510000ffffffff' + '08001600554904003132330a'),
      /where an item must stand/,
    ],
    ['text of undefined length', fromHex('0800010055540000ffffffff'), /undefined length/],
    ['too deep', nestedSequences(headerDepthMax + 1, explicitLittleEndian), /levels deep/],
    ['cut off', concatBytes(header(explicitLittleEndian), fromHex('20001000')), /ends within an element/],
  ];
  for (const [name, bytes, reason] of cases) {
    const result = scanHeader(bytes, uids.explicitVrLittleEndian, { atEnd: true });
    assert(result.kind === 'malformed', name);
    assert.match(result.reason, reason, name);
  }
});

test('a header without end is given up at its limits', options, () => {
  const endless = new HeaderScanner(uids.explicitVrLittleEndian);
  // One private element of 4 GB, sent on and on.
  let result = endless.push(fromHex('09001010554e0000feffffff'));
  const chunk = new Uint8Array(1 << 20);
  let pushed = 0;
  for (; result.kind === 'more'; pushed += chunk.length) result = endless.push(chunk);
  assert(result.kind === 'malformed' && /not reached/.test(result.reason));
  assert(pushed <= headerBytesMax + chunk.length);
  const empty = fromHex('0800ff0053480000');
  const many = scanHeader(
    joinBytes(Array.from({ length: headerElementsMax + 1 }, () => empty)),
    uids.explicitVrLittleEndian,
  );
  assert(many.kind === 'malformed' && /more than 500000 elements/.test(many.reason));
});

test('a deflated header that comes byte by byte is found or given up, not choked on', options, () => {
  const bytes = deflateRawSync(concatBytes(fromHex('09001010554e0000feffffff'), randomBytes(300_000)));
  const scanner = new HeaderScanner(uids.deflatedExplicitVrLittleEndian);
  let result = scanner.push(new Uint8Array(0));
  for (const byte of bytes) result = scanner.push(Uint8Array.of(byte));
  assert.equal(result.kind, 'more');
  assert.equal(scanner.end().kind, 'malformed');
});

test('a deflated header is found in a short beginning; a bomb is given up', options, () => {
  const pixels = element(0x7fe00010, 'OW', '\0'.repeat(1_000_000));
  const deflated = deflateRawSync(concatBytes(header(explicitLittleEndian), pixels));
  const scanner = new HeaderScanner(uids.deflatedExplicitVrLittleEndian);
  let result = scanner.push(new Uint8Array(0));
  for (let i = 0; i < deflated.length && result.kind === 'more'; i += 100)
    result = scanner.push(deflated.subarray(i, i + 100));
  if (result.kind === 'more') result = scanner.end();
  assert.deepEqual(result, { kind: 'complete', elements: expected });
  const begin = fromHex('09001010554e0000feffffff');
  const bomb = deflateRawSync(concatBytes(begin, new Uint8Array(64 << 20)));
  const exploded = scanHeader(bomb, uids.deflatedExplicitVrLittleEndian, { atEnd: true });
  assert(exploded.kind === 'malformed' && /inflates to more/.test(exploded.reason));
  // The header stands before the part that explodes: it is still found.
  const late = deflateRawSync(concatBytes(header(explicitLittleEndian), pixels, new Uint8Array(64 << 20)), {
    level: 9,
  });
  assert.equal(scanHeader(late, uids.deflatedExplicitVrLittleEndian, { atEnd: true }).kind, 'complete');
  const corrupt = scanHeader(utf8('this is not deflated'), uids.deflatedExplicitVrLittleEndian, {
    atEnd: true,
  });
  assert.equal(corrupt.kind, 'malformed');
  const flushed = deflateRawSync(header(explicitLittleEndian), { finishFlush: constants.Z_SYNC_FLUSH });
  assert.equal(scanHeader(flushed, uids.deflatedExplicitVrLittleEndian).kind, 'more');
});

const anySyntax = fc.constantFrom(
  uids.explicitVrLittleEndian,
  uids.implicitVrLittleEndian,
  uids.explicitVrBigEndian,
  uids.deflatedExplicitVrLittleEndian,
  '1.2.3.4',
);

/** Bytes that look like headers more often than noise does. */
const hostile = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.constantFrom(
        fromHex('0800111153510000ffffffff'),
        fromHex('08001111ffffffff'),
        fromHex('feff00e0ffffffff'),
        fromHex('feff00e004000000'),
        fromHex('feff0de000000000'),
        fromHex('feffdde000000000'),
        fromHex('09001010554e0000ffffffff'),
        fromHex('e07f10004f420000ffffffff'),
        fromHex('1000200000000000'),
        fromHex('0800180055490400312e3200'),
      ),
    ),
    { maxLength: 60 },
  )
  .map((parts) => concatBytes(...parts));

test('no input makes the scanner throw, and pieces do not matter', options, () => {
  fc.assert(
    fc.property(hostile, anySyntax, fc.integer({ min: 1, max: 50 }), (bytes, uid, size) => {
      const whole = scanHeader(bytes, uid, { atEnd: true });
      assert.notEqual(whole.kind, 'more');
      const scanner = new HeaderScanner(uid);
      let result = scanner.push(new Uint8Array(0));
      for (let offset = 0; offset < bytes.length && result.kind === 'more'; offset += size) {
        result = scanner.push(bytes.subarray(offset, offset + size));
      }
      if (result.kind === 'more') result = scanner.end();
      assert.deepEqual(result, whole);
    }),
    { numRuns: 3000 },
  );
});

test('the tokens of a data set are its bytes, each once and in order', options, () => {
  fc.assert(
    fc.property(hostile, anySyntax, fc.integer({ min: 1, max: 50 }), (bytes, uid, size) => {
      const reader = new DataSetReader(
        {
          deflated: false,
          encoding: uid === uids.implicitVrLittleEndian ? implicitLittleEndian : explicitLittleEndian,
        },
        1000,
      );
      const seen: Uint8Array[] = [];
      let tokens = 0;
      for (let offset = 0; offset < bytes.length; offset += size) {
        reader.push(bytes.subarray(offset, offset + size));
        for (
          let token = reader.next();
          token !== undefined && token.kind !== 'malformed';
          token = reader.next()
        ) {
          seen.push(token.bytes);
          tokens++;
        }
      }
      const read = concatBytes(...seen);
      assert.deepEqual(read, bytes.subarray(0, read.length));
      // Work is bound to the input: at most a header and its value for each eight bytes, and one piece for each push.
      assert(
        tokens <= bytes.length / 4 + bytes.length / size + 2,
        `${tokens} tokens of ${bytes.length} bytes`,
      );
    }),
    { numRuns: 1000 },
  );
});
