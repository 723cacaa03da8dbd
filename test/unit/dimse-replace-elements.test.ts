/** Reconciliation as a stream: what passes untouched, what is refused, and character sets. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { decodeText, encodeText } from '../../firmware/dimse/character-set.ts';
import { explicitLittleEndian } from '../../firmware/dimse/data-set-syntax.ts';
import { encodeElement } from '../../firmware/dimse/element-encoder.ts';
import {
  readPart10Header,
  replaceElements,
  type Replacement,
  scanHeader,
  uids,
} from '../../firmware/dimse/index.ts';
import { fileMetaBytesMax } from '../../firmware/dimse/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, fromHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { inPieces } from '../support/dimse-tools.ts';

const options = { timeout: 60_000 };

const element = (tag: number, vr: string, value: string | Uint8Array): Uint8Array =>
  encodeElement(explicitLittleEndian, tag, vr, typeof value === 'string' ? utf8(value) : value);

const replacement = (values: Replacement['values']): Replacement => ({
  values,
  modifiedAt: 0,
  modifyingSystem: 'HERE',
  sourceOfPreviousValues: 'THERE',
});

async function replaced(
  bytes: Uint8Array,
  values: Replacement['values'],
  uid: string = uids.explicitVrLittleEndian,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of replaceElements(inPieces(bytes, 5000), uid, replacement(values)))
    chunks.push(chunk);
  return concatBytes(...chunks);
}

const failsWith =
  (code: string, pattern: RegExp) =>
  (error: unknown): boolean => {
    assert(error instanceof AppError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };

const pixels = element(0x7fe00010, 'OW', randomBytes(100_000));
const body = concatBytes(
  element(0x00080005, 'CS', 'ISO_IR 100'),
  element(0x00080018, 'UI', '1.2.3.4\0'),
  element(0x00100010, 'PN', Uint8Array.of(0x4d, 0xfc, 0x6c, 0x6c)),
  element(0x00100020, 'LO', 'A1'),
);
const object = concatBytes(body, pixels);

test('values that already stand there change nothing, not even a byte', options, async () => {
  assert.deepEqual(await replaced(object, { patientId: 'A1', patientName: 'Müll' }), object);
  assert.deepEqual(await replaced(object, { issuerOfPatientId: '' }), object);
  assert.deepEqual(await replaced(object, {}), object);
});

test('text is written in the character set of the object', options, async () => {
  const bytes = await replaced(object, { patientName: 'Çelik^Åsa', patientId: 'B2' });
  const whole = scanHeader(bytes, uids.explicitVrLittleEndian, { atEnd: true });
  assert(whole.kind === 'complete');
  assert.equal(whole.elements.patientName, 'Çelik^Åsa');
  assert(bytes.includes(0xc7) && !bytes.subarray(0, body.length).includes(0xc3));
  assert.deepEqual(bytes.subarray(bytes.length - pixels.length), pixels);
  await assert.rejects(
    replaced(object, { patientName: 'Łukasz' }),
    failsWith('REQUEST_INVALID', /\(0010,0010\) cannot be written in ISO_IR 100/),
  );
  const plain = concatBytes(element(0x00100020, 'LO', 'A1'), pixels);
  await assert.rejects(
    replaced(plain, { patientName: 'Müller' }),
    failsWith('REQUEST_INVALID', /default character set/),
  );
  await assert.rejects(replaced(plain, { patientId: 'A\\B' }), failsWith('REQUEST_INVALID', /\(0010,0020\)/));
});

test('elements without pixel data, at the very end, and emptied ones', options, async () => {
  const bytes = await replaced(element(0x00080018, 'UI', '1.2.3.4\0'), { patientId: 'X', patientSex: '' });
  const whole = scanHeader(bytes, uids.explicitVrLittleEndian, { atEnd: true });
  assert.deepEqual(whole, { kind: 'complete', elements: { sopInstanceUid: '1.2.3.4', patientId: 'X' } });
  const emptied = scanHeader(await replaced(object, { patientId: '' }), uids.explicitVrLittleEndian, {
    atEnd: true,
  });
  assert(emptied.kind === 'complete');
  assert.equal(emptied.elements.patientId, '');
});

test('what cannot be spliced with certainty is refused, never half done', options, async () => {
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['out of order', concatBytes(element(0x00180015, 'CS', 'HEAD'), body), /out of order/],
    ['twice', concatBytes(body, element(0x00100020, 'LO', 'A1')), /twice/],
    ['cut off', body.subarray(0, body.length - 1), /ends within an element/],
    ['no data set', fromHex('feffdde000000000'), /outside of a sequence/],
    ['a Patient ID without end', fromHex('10002000554e0000ffffffff'), /too long/],
  ];
  for (const [name, bytes, pattern] of cases) {
    await assert.rejects(replaced(bytes, { patientId: 'X' }), failsWith('OBJECT_UNREADABLE', pattern), name);
  }
});

test('a deflated object is deflated again, even in length; a corrupt one is refused', options, async () => {
  const uid = uids.deflatedExplicitVrLittleEndian;
  for (const padding of [0, 1]) {
    const deflated = concatBytes(deflateRawSync(object), new Uint8Array(padding));
    const bytes = await replaced(deflated, { patientId: 'X' }, uid);
    assert.equal(bytes.length % 2, 0);
    assert.deepEqual(new Uint8Array(inflateRawSync(bytes)), await replaced(object, { patientId: 'X' }));
  }
  await assert.rejects(
    replaced(deflateRawSync(object).subarray(0, 1000), { patientId: 'X' }, uid),
    failsWith('OBJECT_UNREADABLE', /inflated/),
  );
  await assert.rejects(
    replaced(utf8('not deflated at all'), { patientId: 'X' }, uid),
    failsWith('OBJECT_UNREADABLE', /inflated/),
  );
});

test('an error of the source is passed on as it is', options, async () => {
  for (const [uid, beginning] of [
    [uids.explicitVrLittleEndian, object.subarray(0, 100)],
    [uids.deflatedExplicitVrLittleEndian, deflateRawSync(object).subarray(0, 100)],
  ] as const) {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(beginning);
      throw new AppError('STORE_CORRUPT', 'a chunk is gone');
    };
    const running = async (): Promise<void> => {
      for await (const chunk of replaceElements(failing(), uid, replacement({}))) assert(chunk.length > 0);
    };
    await assert.rejects(running, failsWith('STORE_CORRUPT', /a chunk is gone/));
  }
});

test('a reader that stops early ends the source, deflated or not', options, async () => {
  for (const uid of [uids.explicitVrLittleEndian, uids.deflatedExplicitVrLittleEndian]) {
    let ended = false;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield uid === uids.explicitVrLittleEndian
          ? object
          : deflateRawSync(concatBytes(object, element(0x7fe10010, 'OB', randomBytes(5_000_000)))).subarray(
              0,
              4_000_000,
            );
        for (;;) yield await Promise.resolve(randomBytes(10));
      } finally {
        ended = true;
      }
    };
    for await (const chunk of replaceElements(endless(), uid, replacement({ patientId: 'X' }))) {
      assert(chunk.length > 0);
      break;
    }
    while (!ended) await new Promise((resolve) => setImmediate(resolve));
  }
});

test('character sets: what is written is read again', options, () => {
  const samples: readonly (readonly [string, string])[] = [
    ['', 'Plain^Name'],
    ['ISO_IR 100', 'Åström^Zoë'],
    ['ISO_IR 101', 'Łukasz^Żak'],
    ['ISO_IR 144', 'Люк^Щ'],
    ['ISO_IR 126', 'Διονυσιος'],
    ['ISO_IR 138', 'שרון'],
    ['ISO_IR 148', 'Çavuşoğlu'],
    ['ISO_IR 192', '山田^太郎'],
    ['ISO 2022 IR 100', 'Müller'],
  ];
  for (const [characterSet, text] of samples) {
    const bytes = encodeText(text, characterSet);
    assert(bytes !== undefined, characterSet);
    assert.equal(decodeText(bytes, characterSet), text, characterSet);
  }
  assert.equal(encodeText('山田', 'ISO 2022 IR 6\\ISO 2022 IR 87'), undefined);
  assert.equal(encodeText('Müller', ''), undefined);
  assert.equal(encodeText('山田', 'ISO_IR 100'), undefined);
});

test('a Part 10 header is more, malformed or complete, never an exception', options, () => {
  const valid = concatBytes(
    new Uint8Array(128),
    utf8('DICM'),
    fromHex('02000000554c04001a000000'),
    fromHex('0200100055491200'),
    utf8('1.2.840.10008.1.2\0'),
  );
  assert.deepEqual(readPart10Header(valid.subarray(0, 140)), { kind: 'more' });
  assert.deepEqual(readPart10Header(valid.subarray(0, valid.length - 1)), { kind: 'more' });
  const lacking = readPart10Header(valid);
  assert(lacking.kind === 'malformed' && /\(0002,0002\)/.test(lacking.reason));
  const noPrefix = valid.slice();
  noPrefix[128] = 0;
  assert.equal(readPart10Header(noPrefix).kind, 'malformed');
  const long = valid.slice();
  new DataView(long.buffer).setUint32(140, fileMetaBytesMax + 1, true);
  assert.equal(readPart10Header(long).kind, 'malformed');
});
