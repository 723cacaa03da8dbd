/** Text with code extensions: several character sets in one value, by escape sequences (PS3.3 C.12.1.1.2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, encodeText } from '../../firmware/dimse/character-set.ts';
import { decodeDataSet } from '../../firmware/dimse/data-set.ts';
import { HeaderScanner } from '../../firmware/dimse/header-scanner.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { textBytesWithoutRestMax } from '../../firmware/dimse/limits.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

test('each escape sequence puts its set where it belongs', () => {
  const cases: readonly (readonly [set: string, bytes: string, text: string])[] = [
    // Latin-1 first, then Greek and Cyrillic in one name, each until the next delimiter.
    [
      'ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 144',
      'J\xe9r\xf4me^\x1b-F\xc4\xe9\xef=\x1b-L\xbb\xee\xda',
      'Jérôme^Διο=Люк',
    ],
    // Japanese as PS3.5 H.3.2 writes it: katakana, kanji, hiragana.
    [
      'ISO 2022 IR 13\\ISO 2022 IR 87',
      '\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J',
      'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎',
    ],
    // JIS X 0212 beside JIS X 0208.
    ['\\ISO 2022 IR 87\\ISO 2022 IR 159', '\x1b$B;3\x1b$(D0!\x1b(B', '山丂'],
    // A pair whose second byte is a backslash or a delimiter does not end the value.
    ['\\ISO 2022 IR 87', '\x1b$B9\\9^\x1b(B', '砿閤'],
    ['\\ISO 2022 IR 149', 'Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7', 'Hong=洪^吉洞'],
    ['\\ISO 2022 IR 58', 'Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab', 'Zhang=张^小东'],
    ['ISO 2022 IR 6\\ISO 2022 IR 166', 'a\x1b-T\xa1', 'aก'],
  ];
  for (const [set, bytes, text] of cases) assert.equal(decodeText(latin1(bytes), set), text, set);
});

test('a delimiter puts the first set back', () => {
  assert.equal(decodeText(latin1('\x1b-F\xc4^\xc4'), 'ISO 2022 IR 100\\ISO 2022 IR 126'), 'Δ^Ä');
});

test('a run of characters may be longer than what is decoded before a rest', () => {
  const times = 3 * textBytesWithoutRestMax + 1;
  const cases: readonly (readonly [set: string, before: string, character: string, text: string])[] = [
    ['\\ISO 2022 IR 149', '\x1b$)C', '\xfb\xf3', '洪'],
    ['\\ISO 2022 IR 87', '\x1b$B', ';3', '山'],
    ['\\ISO 2022 IR 159', '\x1b$(D', '0!', '丂'],
    ['ISO 2022 IR 13', '', '\xd4', 'ﾔ'],
    ['ISO 2022 IR 100', '', '\xe9', 'é'],
  ];
  for (const [set, before, character, text] of cases) {
    const decoded = decodeText(latin1(before + character.repeat(times)), set);
    assert.ok(decoded === text.repeat(times), set);
  }
});

test('no bytes make it fail, and it takes them all', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(typeof decodeText(bytes, 'ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159'), 'string');
      const text = decodeText(bytes, '\\ISO 2022 IR 149');
      assert(text.length <= bytes.length);
    }),
    { seed: 3300, numRuns: 500 },
  );
});

test('a set that nobody defined is read as Latin-1, also one that has a name of the language', () => {
  for (const name of ['ISO_IR 999', ...Object.getOwnPropertyNames(Object.prototype)]) {
    for (const set of [name, `ISO 2022 IR ${name}`, `ISO_IR ${name}`, `ISO 2022 IR 6\\${name}`])
      assert.equal(decodeText(latin1('Ren\xe9^A'), set), 'René^A', set);
    assert.equal(encodeText('René', name), undefined, name);
    const header = concatBytes(
      element(0x0008, 0x0005, name),
      element(0x0010, 0x0010, 'Ren\xe9'),
      element(0x7fe0, 0x0010, ''),
    );
    const scanned = new HeaderScanner(uids.implicitVrLittleEndian).push(header);
    assert(scanned.kind === 'complete');
    assert.equal(scanned.elements.patientName, 'René', name);
    const decoded = decodeDataSet(header, uids.implicitVrLittleEndian);
    assert(decoded.kind === 'data-set');
    assert.deepEqual(decoded.dataSet['00100010']?.values, ['René']);
  }
});

test('nothing is written in a set that does not hold it', () => {
  for (const set of ['', 'ISO_IR 6', 'ISO 2022 IR 6', 'ISO 2022 IR 6\\ISO 2022 IR 100', 'ISO_IR 999'])
    assert.equal(encodeText('é', set), undefined, set);
  assert.deepEqual(encodeText('é', 'ISO_IR 100'), Uint8Array.of(0xe9));
  assert.deepEqual(encodeText('e', 'ISO_IR 999'), Uint8Array.of(0x65));
});

/** Implicit VR little endian. */
function element(group: number, number: number, text: string): Uint8Array {
  const value = latin1(text.length % 2 === 0 ? text : `${text} `);
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, group, true);
  header.setUint16(2, number, true);
  header.setUint32(4, value.length, true);
  return concatBytes(new Uint8Array(header.buffer), value);
}
