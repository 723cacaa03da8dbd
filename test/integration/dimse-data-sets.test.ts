/** Reading and reconciling data sets: pydicom is the judge, its own real files are the input. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  decodeDataSet,
  encodeDataSet,
  HeaderScanner,
  part10Header,
  readPart10Header,
  replaceElements,
  type Replacement,
  scanHeader,
  uids,
} from '../../firmware/dimse/index.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import {
  filesBelow,
  inPieces,
  pydicomCharsetFiles,
  pydicomFiles,
  readDicomFile,
  runPython,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { dicomNames } from '../tidy/pages/conformance/names.ts';

const options = { timeout: 120_000 };

interface Subject {
  readonly path: string;
  readonly transferSyntaxUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly dataSet: Uint8Array;
}

let subjects: Subject[] = [];
let folder = '';

before(async () => {
  folder = await temporaryFolder();
  for (const path of [...(await filesBelow(pydicomFiles)), ...(await filesBelow(pydicomCharsetFiles))]) {
    const object = await readDicomFile(path);
    if (object.kind === 'object') subjects.push({ path, ...object });
  }
  assert(subjects.length > 100, `${subjects.length} files with group 0002`);
});

after(async () => {
  subjects = [];
  await rm(folder, { recursive: true, force: true });
});

/** What pydicom reads in the header: keyword to text, padding removed, several values joined by backslashes. */
const headerProgram = `
import sys, json, pydicom
names = json.loads(sys.argv[1])
out = {}
for path in sys.argv[2:]:
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        ds.decode()
        found = {}
        for field, keyword in names.items():
            if keyword in ds:
                e = ds[keyword]
                v = e.value
                found[field] = '' if v is None else '\\\\'.join(str(x) for x in v) if isinstance(v, pydicom.multival.MultiValue) else str(v)
        out[path] = found
    except Exception as error:
        out[path] = {'error': str(error)}
print(json.dumps(out))
`;

const keywords = {
  specificCharacterSet: 'SpecificCharacterSet',
  sopClassUid: 'SOPClassUID',
  sopInstanceUid: 'SOPInstanceUID',
  studyDate: 'StudyDate',
  accessionNumber: 'AccessionNumber',
  modality: 'Modality',
  studyDescription: 'StudyDescription',
  patientName: 'PatientName',
  patientId: 'PatientID',
  issuerOfPatientId: 'IssuerOfPatientID',
  patientBirthDate: 'PatientBirthDate',
  patientSex: 'PatientSex',
  studyInstanceUid: 'StudyInstanceUID',
  seriesInstanceUid: 'SeriesInstanceUID',
  studyId: 'StudyID',
} as const;

/** pydicom drops empty component groups at the end of a name. */
const plain = (value: string | undefined): string | undefined => value?.trim().replace(/=+$/, '');

test('the scanner reads in every file what pydicom reads', options, async () => {
  const expected = (await runPython(headerProgram, [
    JSON.stringify(keywords),
    ...subjects.map(({ path }) => path),
  ])) as Record<string, Record<string, string>>;
  let compared = 0;
  for (const { path, transferSyntaxUid, dataSet } of subjects) {
    const fields = expected[path] as Record<string, string>;
    if ('error' in fields) continue;
    const result = scanHeader(dataSet, transferSyntaxUid, { atEnd: true });
    if (result.kind === 'malformed') {
      // pydicom gives what it has of a file that was cut off.
      assert.match(result.reason, /ends within an element/, basename(path));
      continue;
    }
    assert(result.kind === 'complete');
    for (const field of Object.keys(keywords) as (keyof typeof keywords)[]) {
      assert.equal(plain(result.elements[field]), plain(fields[field]), `${basename(path)} ${field}`);
    }
    compared++;
  }
  assert(compared > 90, `${compared} files compared`);
});

test(
  'names in Japanese, Korean and Chinese character sets with code extensions are read',
  options,
  async () => {
    const expected: readonly (readonly [string, string])[] = [
      ['chrH31.dcm', 'Yamada^Tarou=山田^太郎=やまだ^たろう'],
      ['chrH32.dcm', 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'],
      ['chrKoreanMulti.dcm', '김희중'],
      ['chrI2.dcm', 'Hong^Gildong=洪^吉洞=홍^길동'],
      ['chrX1.dcm', 'Wang^XiaoDong=王^小東'],
      ['chrX2.dcm', 'Wang^XiaoDong=王^小东'],
    ];
    for (const [name, patientName] of expected) {
      const subject = subjects.find(({ path }) => basename(path) === name);
      assert(subject !== undefined, name);
      const result = scanHeader(subject.dataSet, subject.transferSyntaxUid, { atEnd: true });
      assert(result.kind === 'complete');
      assert.equal(plain(result.elements.patientName), patientName, name);
    }
  },
);

test('in pieces of any size the scanner says the same', options, () => {
  for (const { path, transferSyntaxUid, dataSet } of subjects) {
    const whole = scanHeader(dataSet, transferSyntaxUid, { atEnd: true });
    for (const size of [1, 7, 4096]) {
      const scanner = new HeaderScanner(transferSyntaxUid);
      let result = scanner.push(new Uint8Array(0));
      for (let offset = 0; offset < dataSet.length && result.kind === 'more'; offset += size) {
        result = scanner.push(dataSet.subarray(offset, offset + size));
      }
      if (result.kind === 'more') result = scanner.end();
      assert.deepEqual(result, whole, `${basename(path)} in pieces of ${size}`);
    }
  }
});

const replacement: Replacement = {
  values: {
    accessionNumber: 'A-77',
    patientName: 'Local^Name',
    patientId: 'LOCAL-1',
    issuerOfPatientId: 'HOSPITAL-B',
    patientBirthDate: '19700102',
    patientSex: 'O',
  },
  modifiedAt: Date.UTC(2026, 10, 22, 12, 34, 56, 789),
  modifyingSystem: 'HILUM B',
  sourceOfPreviousValues: 'HOSPITAL-A',
};

/**
 * Compares each pair of files: all elements but the named ones equal, the named ones new, the old values in the last
 * item of Original Attributes Sequence.
 */
const compareProgram = `
import sys, json, pydicom
from pydicom.dataset import Dataset
values = json.loads(sys.argv[1])
result = {}
def content(ds, t):
    e = ds.get_item(t)
    return (e.VR, e.value)
for pair in sys.argv[2:]:
    before, after = pair.split('|')
    a = pydicom.dcmread(before, force=True)
    b = pydicom.dcmread(after)
    wrong = []
    skip = {pydicom.datadict.tag_for_keyword(k) for k in values} | {0x04000561}
    groups = {t >> 16 for t in skip}
    tags = {int(t) for t in a.keys()} | {int(t) for t in b.keys()}
    for t in sorted(tags - skip):
        if t & 0xffff == 0 and t >> 16 in groups:
            if t in b: wrong.append('group length %08x' % t)
            continue
        if t not in a or t not in b or content(a, t) != content(b, t): wrong.append('%08x' % t)
    for k, v in values.items():
        if k not in b or str(b[k].value) != v: wrong.append('new ' + k)
    old = list(a[0x04000561].value) if 0x04000561 in a else []
    items = list(b[0x04000561].value) if 0x04000561 in b else []
    if len(items) != len(old) + 1: wrong.append('%d items' % len(items))
    elif old != items[:-1]: wrong.append('earlier items changed')
    else:
        item = items[-1]
        if [int(e.tag) for e in item] != [0x04000550, 0x04000562, 0x04000563, 0x04000564, 0x04000565]: wrong.append('item elements')
        if item[0x04000562].value != '20261122123456.789000+0000': wrong.append('date ' + str(item[0x04000562].value))
        if item[0x04000563].value != 'HILUM B' or item[0x04000564].value != 'HOSPITAL-A' or item[0x04000565].value != 'COERCE': wrong.append('item texts')
        modified = item[0x04000550].value
        if len(modified) != 1: wrong.append('modified attributes')
        for k, v in values.items():
            previous = '' if k not in a or a[k].value is None else str(a[k].value)
            if previous == v: continue
            if k not in modified[0] or str(modified[0][k].value or '') != previous: wrong.append('previous ' + k)
    if wrong: result[before] = wrong
print(json.dumps(result))
`;

const keywordValues = {
  AccessionNumber: 'A-77',
  PatientName: 'Local^Name',
  PatientID: 'LOCAL-1',
  IssuerOfPatientID: 'HOSPITAL-B',
  PatientBirthDate: '19700102',
  PatientSex: 'O',
};

async function collected(data: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of data) chunks.push(chunk);
  return concatBytes(...chunks);
}

function part10(subject: Subject, dataSet: Uint8Array): Uint8Array {
  const { sopClassUid, sopInstanceUid, transferSyntaxUid } = subject;
  return concatBytes(
    part10Header({ sopClassUid, sopInstanceUid, transferSyntaxUid, sourceAeTitle: 'HILUM' }),
    dataSet,
  );
}

test('reconciled objects differ in what was to be replaced, and nowhere else', options, async () => {
  const pairs: string[] = [];
  for (const [index, subject] of subjects.entries()) {
    const { transferSyntaxUid, dataSet, path } = subject;
    // A DICOMDIR holds offsets into itself and is never sent.
    if (subject.sopClassUid === '1.2.840.10008.1.3.10') continue;
    if (scanHeader(dataSet, transferSyntaxUid, { atEnd: true }).kind === 'malformed') continue;
    const pieceBytes = [1, 13, 4096][index % 3] as number;
    const replaced = await collected(
      replaceElements(inPieces(dataSet, pieceBytes), transferSyntaxUid, replacement),
    );
    if (dataSet.length % 2 === 0 || transferSyntaxUid === uids.deflatedExplicitVrLittleEndian) {
      assert.equal(replaced.length % 2, 0, basename(path));
    }
    const output = join(folder, `${index}.dcm`);
    await writeFile(output, part10(subject, replaced));
    pairs.push(`${path}|${output}`);
    // Once more: a second item, the first one kept.
    if (index % 5 !== 0) continue;
    const again = { ...replacement, values: { ...replacement.values, patientId: 'LOCAL-2' } };
    const twice = await collected(replaceElements(inPieces(replaced, 4096), transferSyntaxUid, again));
    const back = await collected(replaceElements(inPieces(twice, 4096), transferSyntaxUid, replacement));
    const outputs = [join(folder, `${index}-twice.dcm`), join(folder, `${index}-back.dcm`)] as const;
    await writeFile(outputs[0], part10(subject, twice));
    await writeFile(outputs[1], part10(subject, back));
    pairs.push(`${outputs[0]}|${outputs[1]}`);
  }
  assert(pairs.length > 100, `${pairs.length} pairs`);
  assert.deepEqual(await runPython(compareProgram, [JSON.stringify(keywordValues), ...pairs]), {});
});

test(
  'Original Attributes Sequence of undefined length, as pydicom writes it, gains an item',
  options,
  async () => {
    const program = `
import sys, pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
ds = pydicom.dcmread(sys.argv[1])
item = Dataset()
inner = Dataset(); inner.PatientID = 'OLDER'
item.ModifiedAttributesSequence = Sequence([inner])
item[0x04000550].is_undefined_length = True
item.AttributeModificationDateTime = '20200101'
item.ModifyingSystem = 'EARLIER'; item.SourceOfPreviousValues = ''; item.ReasonForTheAttributeModification = 'COERCE'
ds.OriginalAttributesSequence = Sequence([item])
ds[0x04000561].is_undefined_length = True
for i, syntax in enumerate(['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2']):
    ds.file_meta.TransferSyntaxUID = syntax
    ds.is_implicit_VR = i == 0; ds.is_little_endian = i < 2
    ds.PixelData = b'\\0' * 16; ds[0x7fe00010].VR = 'OW'
    ds.save_as(sys.argv[2 + i], write_like_original=False)
print('{}')
`;
    const inputs = [0, 1, 2].map((i) => join(folder, `undefined-${i}.dcm`));
    await runPython(program, [join(pydicomFiles, 'CT_small.dcm'), ...inputs]);
    const pairs: string[] = [];
    for (const input of inputs) {
      const object = await readDicomFile(input);
      assert(object.kind === 'object');
      const replaced = await collected(
        replaceElements(inPieces(object.dataSet, 11), object.transferSyntaxUid, replacement),
      );
      const output = `${input}.out`;
      await writeFile(output, part10({ path: input, ...object }, replaced));
      pairs.push(`${input}|${output}`);
    }
    assert.deepEqual(await runPython(compareProgram, [JSON.stringify(keywordValues), ...pairs]), {});
  },
);

/** Each pair of files must hold the same elements. Ours name UTF-8 where the original's character set does not do. */
const sameProgram = `
import sys, json, pydicom
pydicom.config.replace_un_with_known_vr = True
result = {}
def little(value, le):
    if le: return value
    return bytes(value[i ^ 1] for i in range(len(value)))
def text(ds, le):
    out = {}
    for e in ds:
        # Private elements of implicit VR stay bytes.
        if e.tag.element == 0 or e.tag == 0x00080005 or e.tag.is_private: continue
        if e.VR == 'SQ': out[str(e.tag)] = [text(item, le) for item in e.value]
        elif e.VR in ('PN',): out[str(e.tag)] = str(e.value).rstrip('=').strip()
        elif e.VR == 'OW': out[str(e.tag)] = little(e.value or b'', le).rstrip(b'\\0 ').hex()
        elif isinstance(e.value, bytes): out[str(e.tag)] = e.value.rstrip(b'\\0 ').hex()
        elif e.value is None or e.is_empty: out[str(e.tag)] = ''
        elif e.VM > 1: out[str(e.tag)] = [str(v).strip() for v in e.value]
        else: out[str(e.tag)] = str(e.value).strip()
    return out
for pair in sys.argv[1:]:
    before, after = pair.split('|')
    a = pydicom.dcmread(before, force=True); b = pydicom.dcmread(after)
    a.decode(); b.decode()
    x, y = text(a, a.is_little_endian), text(b, b.is_little_endian)
    wrong = [t for t in sorted(set(x) | set(y)) if x.get(t) != y.get(t)]
    if wrong: result[pair] = [(t, str(x.get(t))[:60], str(y.get(t))[:60]) for t in wrong]
print(json.dumps(result))
`;

test('small data sets are read and written as pydicom understands them', options, async () => {
  const pairs: string[] = [];
  for (const [index, subject] of subjects.entries()) {
    const { transferSyntaxUid, dataSet, path } = subject;
    // A DICOMDIR holds offsets into itself.
    if (subject.sopClassUid === '1.2.840.10008.1.3.10') continue;
    if (dataSet.length > 1_000_000) continue;
    const result = decodeDataSet(dataSet, transferSyntaxUid);
    if (result.kind === 'malformed') continue;
    // UN is little endian in every syntax (PS3.5 6.2.2), which pydicom does not know of big endian.
    const hasUnknown = JSON.stringify(result.dataSet).includes('"vr":"UN"');
    const syntax = [
      uids.implicitVrLittleEndian,
      hasUnknown ? uids.explicitVrLittleEndian : uids.explicitVrBigEndian,
      uids.explicitVrLittleEndian,
      uids.deflatedExplicitVrLittleEndian,
    ][index % 4] as string;
    const output = join(folder, `small-${index}.dcm`);
    await writeFile(
      output,
      part10({ ...subject, transferSyntaxUid: syntax }, encodeDataSet(result.dataSet, syntax)),
    );
    pairs.push(`${path}|${output}`);
  }
  assert(pairs.length > 60, `${pairs.length} pairs`);
  assert.deepEqual(await runPython(sameProgram, pairs), {});
});

test('the Part 10 header is what pydicom reads, and is read back', options, async () => {
  const subject = subjects[0];
  assert(subject !== undefined);
  const output = join(folder, 'header.dcm');
  await writeFile(output, part10(subject, subject.dataSet));
  const program = `
import sys, json, pydicom
m = pydicom.dcmread(sys.argv[1]).file_meta
print(json.dumps([str(m.MediaStorageSOPClassUID), str(m.MediaStorageSOPInstanceUID), str(m.TransferSyntaxUID), str(m.ImplementationClassUID), str(m.ImplementationVersionName), str(m.SourceApplicationEntityTitle), m.FileMetaInformationVersion.hex()]))
`;
  assert.deepEqual(await runPython(program, [output]), [
    subject.sopClassUid,
    subject.sopInstanceUid,
    subject.transferSyntaxUid,
    uids.implementationClassUid,
    uids.implementationVersionName,
    'HILUM',
    '0001',
  ]);
  const read = readPart10Header(await readFile(output));
  assert(read.kind === 'complete');
  assert.equal(read.meta.sourceAeTitle, 'HILUM');
});

test('storage SOP classes are exactly those of the standard, and private ones', options, async () => {
  const program = `
import json
from pydicom._uid_dict import UID_dictionary
print(json.dumps([[uid, row[0]] for uid, row in UID_dictionary.items() if 'SOP Class' in row[1]]))
`;
  const classes = (await runPython(program, [])) as [string, string][];
  assert(classes.length > 200);
  const notKept = /Storage Commitment|Media Storage Directory/;
  for (const [uid, name] of classes) {
    // Two retired drafts have no name; they stand among the storage classes.
    const isStorage = name === '' || (/Storage/.test(name) && !notKept.test(name));
    assert.equal(uids.isStorageSopClass(uid), isStorage, `${uid} ${name}`);
  }
  assert(uids.isStorageSopClass('1.3.46.670589.11.0.0.12.1'));
  assert(!uids.isStorageSopClass('not a UID'));
});

test('the names on the pages are those of the standard', options, async () => {
  const program = `
import json, sys
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_description
names = {uid: row[0].replace(' SOP Class', '') for uid, row in UID_dictionary.items()}
classes = [uid for uid, row in UID_dictionary.items() if 'SOP Class' in row[1]]
retired = [uid for uid in classes if UID_dictionary[uid][3] == 'Retired']
syntaxes = [uid for uid, row in UID_dictionary.items() if row[1] == 'Transfer Syntax']
attributes = {tag: dictionary_description(int(tag, 16)) for tag in sys.argv[1].split(',')}
print(json.dumps({
  'sopClasses': [[uid, names[uid]] + (['retired'] if uid in retired else []) for uid in sorted(classes)],
  'transferSyntaxes': [[uid, names[uid]] for uid in sorted(syntaxes)],
  'attributes': sorted(attributes.items()),
}))
`;
  const byKey = (rows: readonly (readonly [string, ...unknown[]])[]): readonly unknown[] =>
    rows.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const tags = dicomNames.attributes.map(([tag]) => tag).join(',');
  assert.deepEqual(await runPython(program, [tags]), {
    sopClasses: byKey(dicomNames.sopClasses),
    transferSyntaxes: byKey(dicomNames.transferSyntaxes),
    attributes: byKey(dicomNames.attributes),
  });
});
