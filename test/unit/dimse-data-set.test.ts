/** Small data sets: every layout of PS3.5, character sets, and nothing hostile that costs more than its bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import {
  type DataSet,
  decodeDataSet,
  decodeLongDataSet,
  encodeDataSet,
} from '../../firmware/dimse/data-set.ts';
import {
  dataSetDepthMax,
  dataSetElementMemoryBytes,
  dataSetElementsMax,
  dataSetTextBytesMax,
  dataSetValueMemoryBytes,
  dataSetValuesMax,
  elementsWithoutRestMax,
  elementTextBytesMax,
  elementValuesMax,
  identifierBytesMax,
  paddingWithoutRestMax,
  textBytesWithoutRestMax,
} from '../../firmware/dimse/limits.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { concatBytes, fromHex, toHex, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { countingTurns } from '../support/counting-turns.ts';

const {
  implicitVrLittleEndian,
  explicitVrLittleEndian,
  explicitVrBigEndian,
  deflatedExplicitVrLittleEndian,
} = uids;
const syntaxes = [
  implicitVrLittleEndian,
  explicitVrLittleEndian,
  explicitVrBigEndian,
  deflatedExplicitVrLittleEndian,
];

function decoded(bytes: Uint8Array, syntax: string): DataSet {
  const result = decodeDataSet(bytes, syntax);
  assert(result.kind === 'data-set', JSON.stringify(result));
  return result.dataSet;
}

function reason(bytes: Uint8Array, syntax = explicitVrLittleEndian): string {
  const result = decodeDataSet(bytes, syntax);
  assert(result.kind === 'malformed');
  return result.reason;
}

/** Patient ID and a sequence with one number, as PS3.5 lays them out. */
const example: DataSet = {
  '00081199': { vr: 'SQ', values: [{ '00280010': { vr: 'US', values: ['512'] } }] },
  '00100020': { vr: 'LO', values: ['P1', 'Q'] },
};
const layouts: Readonly<Record<string, string>> = {
  [implicitVrLittleEndian]:
    '08009911120000' + '00' + 'feff00e00a000000' + '28001000020000000002' + '100020000400000050315c51',
  [explicitVrLittleEndian]:
    '0800991153510000' +
    '12000000' +
    'feff00e00a000000' +
    '28001000555302000002' +
    '100020004c4f040050315c51',
  [explicitVrBigEndian]:
    '0008119953510000' +
    '00000012' +
    'fffee0000000000a' +
    '00280010555300020200' +
    '001000204c4f000450315c51',
};

test('the layouts are those of PS3.5 clause 7', () => {
  for (const [syntax, bytes] of Object.entries(layouts)) {
    assert.equal(toHex(encodeDataSet(example, syntax)), bytes, syntax);
    assert.deepEqual(decoded(fromHex(bytes), syntax), example);
  }
});

test('sequences and items of undefined length are read, also inside of UN', () => {
  const implicit =
    '08009911ffffffff' +
    'feff00e0ffffffff' +
    '28001000020000000002' +
    'feff0de000000000' +
    'feffdde000000000';
  assert.deepEqual(decoded(fromHex(implicit), implicitVrLittleEndian), { '00081199': example['00081199'] });
  const unknown = '08009911' + '554e0000' + 'ffffffff' + implicit.slice(16);
  assert.deepEqual(decoded(fromHex(unknown), explicitVrLittleEndian), { '00081199': example['00081199'] });
});

test('what the dictionary does not know stays as bytes, and what it knows of UN is read', () => {
  const privateElement = fromHex('09000110' + '04000000' + '00ff1020');
  assert.deepEqual(decoded(privateElement, implicitVrLittleEndian), {
    '00091001': { vr: 'UN', values: ['AP8QIA=='] },
  });
  assert.deepEqual(
    encodeDataSet(decoded(privateElement, implicitVrLittleEndian), implicitVrLittleEndian),
    privateElement,
  );
  const patientId = fromHex('10002000' + '554e0000' + '04000000' + '50313220');
  assert.deepEqual(decoded(patientId, explicitVrLittleEndian), { '00100020': { vr: 'LO', values: ['P12'] } });
});

test('a data set that is written otherwise than its syntax says is read as it is written', () => {
  assert.deepEqual(
    decoded(fromHex(layouts[implicitVrLittleEndian] as string), explicitVrLittleEndian),
    example,
  );
});

test('text is read in the character set that the data set or the item names', () => {
  const item: DataSet = {
    '00080005': { vr: 'CS', values: ['ISO_IR 144'] },
    '00100010': { vr: 'PN', values: ['Люкceмбypг'] },
  };
  const inner = concatBytes(
    fromHex('08000500' + '43530a00'),
    utf8('ISO_IR 144'),
    fromHex('10001000' + '504e0a00' + 'bbeedace63d5dce279d3').subarray(0, 18),
  );
  const bytes = concatBytes(
    fromHex('08000500' + '43530a00'),
    utf8('ISO_IR 100'),
    fromHex('08009911' + '53510000'),
    Uint8Array.of(inner.length + 8, 0, 0, 0),
    fromHex('feff00e0'),
    Uint8Array.of(inner.length, 0, 0, 0),
    inner,
    fromHex('10001000' + '504e0600'),
    fromHex('42f46e633d20'),
  );
  const dataSet = decoded(bytes, explicitVrLittleEndian);
  const values = dataSet['00081199']?.values[0] as DataSet;
  assert.match((values['00100010']?.values[0] as string).slice(0, 3), /^[\u0400-\u04ff]{3}$/);
  assert.deepEqual(dataSet['00100010']?.values, ['Bônc=']);
  // One character set for all when written, which the item then names too.
  const again = decoded(
    encodeDataSet({ ...dataSet, '00081199': { vr: 'SQ', values: [item] } }, implicitVrLittleEndian),
    implicitVrLittleEndian,
  );
  assert.deepEqual(again['00080005']?.values, ['ISO_IR 192']);
  assert.deepEqual(again['00081199']?.values[0], {
    ...item,
    '00080005': { vr: 'CS', values: ['ISO_IR 192'] },
  });
});

test('text goes out in the set that was asked for, else in UTF-8, and ASCII needs none', () => {
  const name = (text: string, set?: string): DataSet => ({
    ...(set !== undefined && { '00080005': { vr: 'CS', values: [set] } }),
    '00100010': { vr: 'PN', values: [text] },
  });
  const bytes = (dataSet: DataSet): string =>
    Buffer.from(encodeDataSet(dataSet, explicitVrLittleEndian)).toString('latin1');
  assert.match(bytes(name('Müller', 'ISO_IR 100')), /ISO_IR 100.*M\xfcller$/s);
  assert.match(bytes(name('Müller')), /ISO_IR 192.*M\xc3\xbcller /s);
  assert.match(bytes(name('山田', 'ISO_IR 100')), /ISO_IR 192/);
  assert.doesNotMatch(bytes(name('Mueller')), /ISO_IR/);
});

const vrValues: Readonly<Record<string, fc.Arbitrary<string>>> = {
  AE: fc.stringMatching(/^[A-Z]{1,16}$/),
  AT: fc.stringMatching(/^[0-9A-F]{8}$/),
  FD: fc.double({ noNaN: true }).map((value) => (Object.is(value, -0) ? '-0' : String(value))),
  FL: fc.float({ noNaN: true }).map((value) => (Object.is(value, -0) ? '-0' : String(value))),
  LO: fc.stringMatching(/^[A-Za-zÄ-ü山-川][A-Za-zÄ-ü山-川 ]{0,20}[a-z]$/u),
  OW: fc
    .uint8Array({ minLength: 2, maxLength: 40 })
    .map((bytes) => Buffer.from(bytes.subarray(0, bytes.length & ~1)).toString('base64')),
  PN: fc.stringMatching(/^[A-Za-zÄ-ü山-川]{1,9}\^[a-zé]{1,9}$/u),
  SL: fc.integer().map(String),
  SS: fc.integer({ min: -32768, max: 32767 }).map(String),
  SV: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  UI: fc.stringMatching(/^1(\.[1-9][0-9]{0,5}){1,8}$/),
  UL: fc.nat(0xffffffff).map(String),
  US: fc.nat(0xffff).map(String),
  UV: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
};
/** A tag of each VR that the dictionary knows, so that implicit VR comes back as it went; the others are explicit only. */
const knownTags: Readonly<Record<string, string>> = {
  AE: '00080054',
  LO: '00100020',
  PN: '00100010',
  UI: '0020000D',
  US: '00280010',
  FD: '00082134',
  SQ: '00081199',
};
const explicitTags: Readonly<Record<string, string>> = {
  AT: '00720026',
  FL: '00720076',
  OW: '00720069',
  SL: '0072007C',
  SS: '0072007E',
  SV: '00720082',
  UL: '00720078',
  UV: '00720083',
};

function dataSets(tags: Readonly<Record<string, string>>, depth: number): fc.Arbitrary<DataSet> {
  const fields = Object.entries(tags).map(([vr, tag]) => {
    const values: fc.Arbitrary<readonly (string | DataSet)[]> =
      vr === 'SQ'
        ? fc.array(depth === 0 ? fc.constant({}) : dataSets(tags, depth - 1), { maxLength: 3 })
        : fc.array(vrValues[vr] as fc.Arbitrary<string>, { maxLength: vr === 'OW' ? 1 : 4 });
    return [tag, values.map((list) => ({ vr, values: list }))] as const;
  });
  // An element is there or is not; a key without a value cannot come out.
  return fc.record(Object.fromEntries(fields), {
    requiredKeys: [],
    noNullPrototype: true,
  }) as fc.Arbitrary<DataSet>;
}

test('what is written is read back, in every syntax', () => {
  const plain = (dataSet: DataSet): DataSet => {
    const { '00080005': _, ...rest } = dataSet;
    return rest;
  };
  for (const [index, syntax] of syntaxes.entries()) {
    const tags = syntax === implicitVrLittleEndian ? knownTags : { ...knownTags, ...explicitTags };
    fc.assert(
      fc.property(dataSets(tags, 2), (dataSet) => {
        const bytes = encodeDataSet(dataSet, syntax);
        assert.equal(bytes.length % 2, 0);
        assert.deepEqual(plain(decoded(bytes, syntax)), dataSet);
      }),
      { seed: 3100 + index, numRuns: 150 },
    );
  }
});

test('nothing that is sent makes the decoder fail otherwise than by saying so', () => {
  const sample = encodeDataSet(
    { ...example, '00100010': { vr: 'PN', values: ['Ä'] } },
    explicitVrLittleEndian,
  );
  for (const [index, syntax] of syntaxes.entries()) {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 6 }),
        (bytes, changes) => {
          decodeDataSet(bytes, syntax);
          const changed = Uint8Array.from(sample);
          for (const [offset, value] of changes) changed[offset] = value;
          decodeDataSet(changed, syntax);
        },
      ),
      { seed: 3200 + index, numRuns: 500 },
    );
  }
});

test('depth, elements, bytes and doubles are bounded, and the reason names the limit', () => {
  const open = fromHex('08009911ffffffff' + 'feff00e0ffffffff');
  const deep = concatBytes(...Array.from({ length: dataSetDepthMax + 1 }, () => open));
  assert.match(reason(deep, implicitVrLittleEndian), new RegExp(`${dataSetDepthMax} levels`));
  const items = concatBytes(
    fromHex('08009911ffffffff'),
    new Uint8Array(Buffer.alloc(8 * (dataSetElementsMax + 1), Buffer.from('feff00e000000000', 'hex'))),
  );
  assert.match(reason(items, implicitVrLittleEndian), new RegExp(`${dataSetElementsMax} elements`));
  assert.match(reason(new Uint8Array(identifierBytesMax + 2)), /more than/);
  const bomb = deflateRawSync(new Uint8Array(identifierBytesMax + 2));
  assert.match(reason(bomb, deflatedExplicitVrLittleEndian), /inflates to more/);
  assert.match(reason(fromHex('ffffffff'), deflatedExplicitVrLittleEndian), /cannot be inflated/);
  const patientId = fromHex('10002000' + '4c4f0200' + '5031');
  assert.match(reason(concatBytes(patientId, patientId)), /stands twice/);
  assert.match(reason(patientId.subarray(0, 9)), /reaches beyond/);
  assert.match(reason(fromHex('28001000' + '55530300' + '010203')), /does not fit/);
});

test('text is bounded before it is decoded, values while they are, and held by their number', () => {
  const patientName = (text: Uint8Array): Uint8Array =>
    concatBytes(fromHex('10001000'), Uint8Array.from([...u32(text.length)].reverse()), text);
  const read = (text: Uint8Array): string => reason(patientName(text), implicitVrLittleEndian);
  assert.match(read(new Uint8Array(elementTextBytesMax + 2)), new RegExp(`${elementTextBytesMax} bytes`));
  assert.match(
    read(new Uint8Array(elementTextBytesMax).fill(0x5c)),
    new RegExp(`${elementValuesMax} values`),
  );
  const item = concatBytes(
    fromHex('feff00e0ffffffff'),
    patientName(new Uint8Array(elementTextBytesMax)),
    fromHex('feff0de000000000'),
  );
  const items = Array.from({ length: dataSetTextBytesMax / elementTextBytesMax + 1 }, () => item);
  const sequence = concatBytes(fromHex('08009911ffffffff'), ...items, fromHex('feffdde000000000'));
  assert.match(reason(sequence, implicitVrLittleEndian), new RegExp(`${dataSetTextBytesMax} bytes of text`));
  // (0011,10xx) US, each as long as its explicit form can be.
  const numbers = Array.from({ length: 5 }, (_, index) =>
    concatBytes(Uint8Array.of(0x11, 0, index, 0x10), fromHex('5553feff'), new Uint8Array(65_534).fill(7)),
  );
  assert.match(reason(concatBytes(...numbers)), new RegExp(`${dataSetValuesMax} values`));
  const [one] = numbers;
  assert(one !== undefined);
  const result = decodeDataSet(one, explicitVrLittleEndian);
  assert(result.kind === 'data-set');
  assert.equal(result.memoryBytes, one.length + dataSetElementMemoryBytes + 32_767 * dataSetValueMemoryBytes);
});

test('a long data set is decoded alike, and everybody else has a turn meanwhile', async () => {
  const reference = (index: number): DataSet => ({
    '00081150': { vr: 'UI', values: ['1.2.840.10008.5.1.4.1.1.2'] },
    '00081155': { vr: 'UI', values: [`1.2.3.${index}`] },
  });
  const references = Array.from({ length: 5_000 }, (_, index) => reference(index));
  const commitment = encodeDataSet({ '00081199': { vr: 'SQ', values: references } }, implicitVrLittleEndian);
  const items = fromHex('feff00e000000000'.repeat(20_000));
  const empty = concatBytes(fromHex('08009911'), Uint8Array.from([...u32(items.length)].reverse()), items);
  for (const [bytes, elements] of [
    [commitment, 15_000],
    [empty, 20_000],
  ] as const) {
    const { result, turns } = await countingTurns(() => decodeLongDataSet(bytes, implicitVrLittleEndian));
    assert.deepEqual(result, decodeDataSet(bytes, implicitVrLittleEndian));
    assert(turns >= elements / elementsWithoutRestMax - 2, `${turns} turns`);
  }
  const cut = await decodeLongDataSet(commitment.subarray(0, -1), implicitVrLittleEndian);
  assert.equal(cut.kind, 'malformed');
});

test('everybody else has a turn while the values of one element are decoded, and padding is taken off', async () => {
  const pad = ' '.repeat(4 * paddingWithoutRestMax);
  for (const [element, values, parts] of [
    [
      { vr: 'US', values: Array.from({ length: 32_000 }, (_, n) => String(n)) },
      undefined,
      32_000 / elementsWithoutRestMax,
    ],
    [
      { vr: 'IS', values: Array.from({ length: 8_000 }, (_, n) => String(n)) },
      undefined,
      8_000 / elementsWithoutRestMax,
    ],
    [{ vr: 'UR', values: [`${pad}x${pad}`] }, ['x'], 8],
    [{ vr: 'UC', values: ['a', `x${pad.slice(0, 60_000)}`] }, ['a', 'x'], 0],
  ] as const) {
    const bytes = encodeDataSet({ '00111001': element }, explicitVrLittleEndian);
    const { result, turns } = await countingTurns(() => decodeLongDataSet(bytes, explicitVrLittleEndian));
    assert(result.kind === 'data-set');
    assert.deepEqual(result.dataSet['00111001'], { vr: element.vr, values: values ?? element.values });
    assert(turns >= parts - 2, `${turns} turns for ${parts} parts`);
  }
});

test('everybody else has a turn while long text is decoded, in one element or in many', async () => {
  const specificCharacterSet = concatBytes(
    fromHex('08000500'),
    utf8('CS'),
    fromHex('0e00'),
    utf8('ISO 2022 IR 13'),
  );
  // Katakana and Latin in turns: each character switches the set, and is decoded by itself.
  const mixed = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, i) => [0xb1, 0x41][i % 2] as number);
  const unlimitedText = (index: number): Uint8Array =>
    concatBytes(
      Uint8Array.of(0x11, 0, index, 0x10),
      utf8('UT'),
      fromHex('000000000100'),
      mixed(elementTextBytesMax),
    );
  const name = (index: number): Uint8Array =>
    concatBytes(Uint8Array.of(0x11, 0, index, 0x10), utf8('LO'), fromHex('0002'), mixed(512));
  for (const elements of [
    Array.from({ length: 4 }, (_, index) => unlimitedText(index)),
    Array.from({ length: 200 }, (_, index) => name(index)),
  ]) {
    const bytes = concatBytes(specificCharacterSet, ...elements);
    const { result, turns } = await countingTurns(() => decodeLongDataSet(bytes, explicitVrLittleEndian));
    assert.equal(result.kind, 'data-set');
    assert.deepEqual(result, decodeDataSet(bytes, explicitVrLittleEndian));
    const rests = Math.floor(bytes.length / (2 * textBytesWithoutRestMax));
    assert(turns >= rests, `${turns} turns for ${bytes.length} bytes of text`);
  }
});

test('a value too long for its VR in explicit form goes out as UN', () => {
  const long: DataSet = { '00100020': { vr: 'LO', values: ['x'.repeat(elementTextBytesMax)] } };
  const bytes = encodeDataSet(long, explicitVrLittleEndian);
  assert.equal(Buffer.from(bytes.subarray(4, 6)).toString(), 'UN');
  assert.deepEqual(decoded(bytes, explicitVrLittleEndian), long);
});

test('a value that its VR does not have is the caller’s mistake', () => {
  for (const element of [
    { vr: 'US', values: ['65536'] },
    { vr: 'US', values: ['x'] },
    { vr: 'LO', values: [{}] },
    { vr: 'SQ', values: ['x'] },
  ]) {
    assert.throws(() => encodeDataSet({ '00280010': element }, explicitVrLittleEndian), RangeError);
  }
});
