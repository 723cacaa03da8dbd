/**
 * Workstations that find and pull what a box holds: dcmtk, odil, gdcmscu and Orthanc against a whole box with the real
 * objects of python3-pydicom.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { QueryRetrieveScp, uids } from '../../firmware/dimse/index.ts';
import type { DataSet, FindEnd } from '../../firmware/src/ports.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { makeScp } from '../support/dimse-peer.ts';
import { filesBelow, readDicomFile, runPython, runTool } from '../support/dimse-tools.ts';
import { QueryBox, type SentObject, sha256 } from '../support/query-box.ts';

let box: QueryBox;
const options = { timeout: 120_000 };

/** What a hook registers with `after` would be run when the hook ends. */
const stops: (() => unknown)[] = [];
before(async () => {
  box = await QueryBox.start({ after: (stop) => stops.push(stop) });
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-query-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const keyOptions = (keys: Readonly<Record<string, string>>): string[] =>
  Object.entries(keys).flatMap(([tag, value]) => ['-k', value === '' ? tag : `${tag}=${value}`]);

/** Reads data sets with pydicom: these attributes of each, as Unicode. */
const readAnswers = `
import json, sys, pydicom
keys = sys.argv[1].split(',')
print(json.dumps([[str(ds.get(key, 'absent')) for key in keys] for ds in map(pydicom.dcmread, sys.argv[2:])]))
`;

/** Rows of these attributes (pydicom's keywords) from dcmtk's findscu. */
async function findscu(
  t: TestContext,
  model: '-P' | '-S',
  query: readonly string[],
  keywords: readonly string[],
): Promise<string[][]> {
  const folder = await emptyFolder(t);
  const { code, output } = await runTool('findscu', [model, ...box.ends, '-X', '-od', folder, ...query]);
  assert.equal(code, 0, output);
  const files = await filesBelow(folder);
  if (files.length === 0) return [];
  return (await runPython(readAnswers, [keywords.join(','), ...files])) as string[][];
}

/** What arrived in a folder, as instance, transfer syntax and digest of the data set. */
async function arrived(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of await filesBelow(folder)) {
    const object = await readDicomFile(path);
    assert.ok(object.kind === 'object', path);
    found.push(line(object.sopInstanceUid, object.transferSyntaxUid, sha256(object.dataSet)));
  }
  return found.sort();
}

const line = (...parts: readonly string[]): string => parts.join(' ');
const lineOf = ({ sopInstanceUid, transferSyntaxUid, sha256: digest }: SentObject): string =>
  line(sopInstanceUid, transferSyntaxUid, digest);

test('findscu lists every patient, study, series and image that is held', options, async (t) => {
  const study = { '0008,0052': 'STUDY', '0020,000d': '', '0008,0061': '', '0020,1208': '' };
  const studies = await findscu(t, '-S', keyOptions(study), [
    'StudyInstanceUID',
    'NumberOfStudyRelatedInstances',
    'RetrieveAETitle',
  ]);
  assert.deepEqual([...new Set(studies.map(([uid]) => uid))].sort(), box.distinct('studyInstanceUid'));
  assert.equal(
    studies.reduce((sum, [, count]) => sum + Number(count), 0),
    box.objects.length,
  );
  assert.deepEqual(new Set(studies.map(([, , title]) => title)), new Set(['HILUM']));

  const patients = await findscu(t, '-P', keyOptions({ '0008,0052': 'PATIENT', '0010,0020': '' }), [
    'PatientID',
  ]);
  assert.deepEqual(
    new Set(patients.map(([id]) => id)),
    new Set(box.objects.map(({ patientId }) => patientId)),
  );

  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid, patientId } = box.object('waveform_ecg.dcm');
  const series = { '0008,0052': 'SERIES', '0020,000d': studyInstanceUid, '0020,000e': '', '0008,0060': '' };
  assert.deepEqual(await findscu(t, '-S', keyOptions(series), ['SeriesInstanceUID', 'Modality']), [
    [seriesInstanceUid, 'ECG'],
  ]);
  const image = {
    ...{ '0008,0052': 'IMAGE', '0010,0020': patientId, '0020,000d': studyInstanceUid },
    ...{ '0020,000e': seriesInstanceUid, '0008,0018': '', '0008,0016': '' },
  };
  assert.deepEqual(await findscu(t, '-P', keyOptions(image), ['SOPInstanceUID']), [[sopInstanceUid]]);
});

test('findscu narrows by wildcard, range, list and modality', options, async (t) => {
  const uidsBy = async (keys: Readonly<Record<string, string>>): Promise<string[]> => {
    const rows = await findscu(t, '-S', keyOptions({ '0008,0052': 'STUDY', '0020,000d': '', ...keys }), [
      'StudyInstanceUID',
    ]);
    return rows.map(([uid = '']) => uid).sort();
  };
  const ct = box.object('CT_small.dcm').studyInstanceUid;
  const ecg = box.object('waveform_ecg.dcm').studyInstanceUid;
  assert.deepEqual(await uidsBy({ '0010,0010': 'compressedsamples^ct?' }), [ct]);
  assert.deepEqual(await uidsBy({ '0008,0020': '20130101-20131231' }), [ecg]);
  assert.deepEqual(await uidsBy({ '0020,000d': `${ct}\\${ecg}\\1.2.3` }), [ct, ecg].sort());
  assert.deepEqual(await uidsBy({ '0008,0061': 'ECG' }), [ecg]);
  assert.deepEqual(await uidsBy({ '0010,0010': 'Nobody*' }), []);
});

/** Writes a query by name and one by ID for each file, in the file's own character set. */
const writeQueries = `
import sys, pydicom
from pydicom.dataset import Dataset, FileMetaDataset
for index, path in enumerate(sys.argv[2:]):
    source = pydicom.dcmread(path)
    for kind in ('name', 'id'):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.1'
        ds.file_meta.MediaStorageSOPClassUID = '1.2.840.10008.5.1.4.1.2.2.1'
        ds.file_meta.MediaStorageSOPInstanceUID = '1.2.3'
        ds.is_little_endian, ds.is_implicit_VR = True, False
        ds.SpecificCharacterSet = source.SpecificCharacterSet
        ds.QueryRetrieveLevel = 'STUDY'
        ds.PatientName = source.PatientName if kind == 'name' else ''
        ds.PatientID = source.PatientID if kind == 'id' else ''
        ds.save_as(f'{sys.argv[1]}/{index}-{kind}.dcm', write_like_original=False)
print('[]')
`;

test('names are found and answered in the character sets in which they were written', options, async (t) => {
  const queries = await emptyFolder(t);
  const answers = await emptyFolder(t);
  const names = [
    ...['chrArab', 'chrFren', 'chrGerm', 'chrGreek', 'chrH31', 'chrHbrw', 'chrI2', 'chrKoreanMulti'],
    ...['chrRuss', 'chrX1', 'chrX2'],
  ];
  const objects = names.map((name) => box.object(`${name}.dcm`));
  await runPython(writeQueries, [queries, ...objects.map(({ path }) => path)]);
  const expected: string[][] = [];
  for (const [index, { patientId, patientName }] of objects.entries()) {
    for (const kind of ['id', 'name']) {
      const folder = join(answers, `${String(index).padStart(2, '0')}-${kind}`);
      await mkdir(folder);
      const query = join(queries, `${index}-${kind}.dcm`);
      const { code, output } = await runTool('findscu', ['-S', ...box.ends, '-X', '-od', folder, query]);
      assert.equal(code, 0, output);
      assert.equal((await readdir(folder)).length, 1, `${patientId} by ${kind}`);
      expected.push([patientId, patientName]);
    }
  }
  assert.deepEqual(
    await runPython(readAnswers, ['PatientID,PatientName', ...(await filesBelow(answers))]),
    expected,
  );
});

/** Matches as long as somebody takes them. */
async function* endless(): AsyncGenerator<DataSet, FindEnd> {
  for (let number = 0; ; number++) {
    yield { '0020000D': { vr: 'UI', values: [`1.2.${number}`] } };
    await new Promise(setImmediate);
  }
}

test('findscu that cancels ends a search that has no end', options, async (t) => {
  const { services } = new QueryRetrieveScp({
    archive: {
      find: () => ({ kind: 'matches', hasUnsupportedKeys: false, matches: endless() }),
      select: () => assert.fail(),
    },
    destinationOf: () => undefined,
    logger: silentLogger,
  });
  const server = makeScp(() => assert.fail(), { services });
  await server.start();
  t.after(() => server.stop());
  const query = ['-v', '-S', '-aec', 'HILUM', '--cancel', '3', '127.0.0.1', String(server.port)];
  const { output } = await runTool('findscu', [...query, '-k', '0008,0052=STUDY', '-k', '0020,000d']);
  assert.match(output, /Received Final Find Response \(Cancel/);
});

test('an identifier that is none is refused, and says why', options, async () => {
  const query = ['-v', '-S', ...box.ends, '-k', '0008,0052=SERIES', '-k', '0020,000e'];
  const { output } = await runTool('findscu', query);
  assert.match(output, /0xa900|DoesNotMatchSOPClass/i);
});

test('movescu brings every study to a destination, bit for bit', options, async () => {
  for (const studyInstanceUid of box.distinct('studyInstanceUid')) {
    const keys = keyOptions({ '0008,0052': 'STUDY', '0020,000d': studyInstanceUid });
    const { code, output } = await runTool('movescu', ['-v', '-S', '-aem', 'STORESCP', ...box.ends, ...keys]);
    assert.equal(code, 0, output);
    assert.match(output, /Received Final Move Response \(Success\)/);
  }
  const sent = box.objects.map(lineOf);
  const received = await arrived(box.storescp.folder);
  assert.ok(sent.length > 60, `${sent.length} objects`);
  const missing = sent.filter((each) => !received.includes(each));
  const extra = received.filter((each) => !sent.includes(each));
  assert.deepEqual({ missing, extra }, { missing: [], extra: [] });
});

test('movescu to a destination that is unknown, or dead', options, async () => {
  const keys = keyOptions({ '0008,0052': 'STUDY', '0020,000d': box.object('CT_small.dcm').studyInstanceUid });
  const unknown = await runTool('movescu', ['-v', '-S', '-aem', 'NOWHERE', ...box.ends, ...keys]);
  assert.match(unknown.output, /MoveDestinationUnknown/);
  const dead = await runTool('movescu', ['-v', '-S', '-aem', 'DEAD', ...box.ends, ...keys]);
  assert.match(dead.output, /Received Final Move Response \(Refused: OutOfResources/);
});

test('getscu gets series of a study on its own association, bit for bit', options, async (t) => {
  const folder = await emptyFolder(t);
  const { studyInstanceUid, seriesInstanceUid } = box.object('CT_small.dcm');
  const keys = keyOptions({
    ...{ '0008,0052': 'SERIES', '0020,000d': studyInstanceUid },
    '0020,000e': seriesInstanceUid,
  });
  const { code, output } = await runTool('getscu', ['-v', '-S', '+B', '-od', folder, ...box.ends, ...keys]);
  assert.equal(code, 0, output);
  assert.deepEqual(await arrived(folder), [lineOf(box.object('CT_small.dcm'))]);
});

test('getscu that takes only uncompressed objects gets them decompressed', options, async (t) => {
  const folder = await emptyFolder(t);
  const jpeg = box.objects.find(({ transferSyntaxUid }) => transferSyntaxUid === '1.2.840.10008.1.2.4.70');
  assert.ok(jpeg);
  const keys = keyOptions({ '0008,0052': 'STUDY', '0020,000d': jpeg.studyInstanceUid });
  const { output } = await runTool('getscu', ['-v', '-S', '+xe', '+B', '-od', folder, ...box.ends, ...keys]);
  assert.match(output, /Number of Failed Suboperations +: 0/);
  const received = await arrived(folder);
  const expected = line(jpeg.sopInstanceUid, uids.explicitVrLittleEndian);
  assert.equal(received.filter((each) => each.startsWith(`${expected} `)).length, 1, received.join('\n'));
});

test('odil finds and gets a study', options, async (t) => {
  const folder = await emptyFolder(t);
  const object = box.object('CT_small.dcm');
  const ends = ['127.0.0.1', String(box.port), 'WORKSTATION', 'HILUM', 'study'];
  const keys = ['QueryRetrieveLevel=STUDY', `StudyInstanceUID=${object.studyInstanceUid}`];
  const found = await runTool('odil', ['find', ...ends, ...keys, 'PatientName']);
  assert.equal(found.code, 0, found.output);
  assert.match(found.output, /1 answer/);
  assert.ok(found.output.includes(object.patientName), found.output);
  const got = await runTool('odil', ['get', '-d', folder, ...ends, ...keys]);
  assert.equal(got.code, 0, got.output);
  assert.match(got.output, /Completed: 1, remaining: 0, failed: 0, warning: 0/);
  assert.equal((await readdir(folder)).length, 1);
});

test('gdcmscu moves a series to itself', options, async (t) => {
  const folder = await emptyFolder(t);
  // Debian's gdcmscu reads whatever it receives as Implicit VR, and crashes at the end of every association, with
  // dcmtk too: what it wrote until then counts. It answers our release only after the final response.
  const object = box.objects.find(
    ({ transferSyntaxUid }) => transferSyntaxUid === uids.implicitVrLittleEndian,
  );
  assert.ok(object);
  const ends = ['--aetitle', 'GDCM', '--call', 'HILUM', '127.0.0.1', String(box.port)];
  const series = ['--key', `20,d=${object.studyInstanceUid}`, '--key', `20,e=${object.seriesInstanceUid}`];
  const move = ['--move', '--studyroot', '--series', ...series];
  const { output } = await runTool('gdcmscu', [
    ...move,
    ...ends,
    '--port-scp',
    String(box.gdcmPort),
    '-o',
    folder,
  ]);
  const [path, ...more] = await filesBelow(folder);
  assert.ok(path !== undefined && more.length === 0, output);
  const rows = await runPython(readAnswers, ['SOPInstanceUID,PatientID', path]);
  assert.deepEqual(rows, [[object.sopInstanceUid, object.patientId]]);
});

async function orthanc(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(`${box.orthanc.http}${path}`, init);
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response;
}

test('Orthanc queries the box and has the box send it what it found', options, async () => {
  const object = box.object('CT_small.dcm');
  await orthanc('/modalities/hilum', {
    method: 'PUT',
    body: JSON.stringify({ AET: 'HILUM', Host: '127.0.0.1', Port: box.port }),
  });
  const query = {
    Level: 'Study',
    Query: { PatientID: object.patientId, PatientName: '', StudyDate: '20040101-' },
  };
  const asked = await orthanc('/modalities/hilum/query', { method: 'POST', body: JSON.stringify(query) });
  const { ID: id } = (await asked.json()) as { ID: string };
  const answers = (await (await orthanc(`/queries/${id}/answers`)).json()) as string[];
  assert.equal(answers.length, 1);
  const content = await (await orthanc(`/queries/${id}/answers/0/content?simplify`)).json();
  assert.equal((content as Record<string, string>)['StudyInstanceUID'], object.studyInstanceUid);
  assert.equal((content as Record<string, string>)['PatientName'], object.patientName);
  await orthanc(`/queries/${id}/retrieve`, { method: 'POST', body: 'ORTHANC' });
  const instances = (await (await orthanc('/instances')).json()) as string[];
  assert.equal(instances.length, 1);
  const file = new Uint8Array(await (await orthanc(`/instances/${instances[0]}/file`)).arrayBuffer());
  const dataSetBytes = (await readDicomFile(object.path)) as { readonly dataSet: Uint8Array };
  assert.equal(sha256(file.subarray(file.length - dataSetBytes.dataSet.length)), object.sha256);
});

test('who may only send is refused the contexts of queries', options, async () => {
  const { code, output } = await runTool('findscu', [
    ...['-v', '-S', '-aet', 'MODALITY', '-aec', 'HILUM', '127.0.0.1', String(box.port)],
    ...keyOptions({ '0008,0052': 'STUDY', '0020,000d': '' }),
  ]);
  assert.notEqual(code, 0);
  assert.match(output, /No Acceptable Presentation Contexts/i);
});
