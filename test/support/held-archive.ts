/** An archive over some kept studies, and how tests ask it. */
import assert from 'node:assert/strict';
import type {
  DataSet,
  FindEnd,
  FindQuery,
  QueryLevel,
  RetrievableObject,
  RetrieveResult,
} from '../../firmware/src/ports.ts';
import { HeldArchive } from '../../firmware/src/query/archive.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { explicitLittleEndian, heldStudy, HeldStudies } from './held-studies.ts';

const vrs: Readonly<Record<string, string>> = { '00080052': 'CS', '00081120': 'SQ' };

/** Keys by tag: text, or several values; the VR is of no account for text. */
export type Keys = Readonly<Record<string, string | readonly string[]>>;

export function identifierOf(level: QueryLevel | undefined, keys: Keys): DataSet {
  const elements: Keys = { ...(level !== undefined && { '00080052': level }), ...keys };
  return Object.fromEntries(
    Object.entries(elements).map(([tag, value]) => {
      const values = value === '' ? [] : typeof value === 'string' ? [value] : value;
      return [tag, { vr: vrs[tag] ?? 'LO', values }];
    }),
  );
}

export const asked = (
  root: 'PATIENT' | 'STUDY',
  level: QueryLevel | undefined,
  keys: Keys,
  options: Partial<FindQuery> = {},
): FindQuery => ({
  root,
  identifier: identifierOf(level, keys),
  relational: false,
  combinedDateTime: false,
  retrieveAeTitle: 'HILUM',
  signal: new AbortController().signal,
  ...options,
});

export function archiveOf(...studies: readonly KeptStudy[]): HeldArchive {
  return new HeldArchive({
    catalogue: new HeldStudies(...studies),
    deliveredAs: ({ created }) =>
      created.origin.kind === 'fetched' ? { patientId: 'LOCAL-1', issuer: '' } : undefined,
    dataSetOf: async function* (study, object) {
      await Promise.resolve();
      yield Buffer.from(`${study.created.origin.kind} ${object.sopInstanceUid} ${String(object.number)}`);
    },
    transcoder: {
      targets: (uid) => (uid === explicitLittleEndian ? [] : [explicitLittleEndian]),
      transcode: async function* (dataSet, from, to) {
        for await (const piece of dataSet) yield Buffer.from(`${from} to ${to}: ${piece.toString()}`);
      },
    },
  });
}

export type Answer = Readonly<Record<string, readonly string[]>>;

export async function found(
  archive: HeldArchive,
  query: FindQuery,
): Promise<{ answers: Answer[]; end: FindEnd }> {
  const result = archive.find(query);
  assert.equal(result.kind, 'matches', JSON.stringify(result));
  assert.ok(result.kind === 'matches');
  const answers: Answer[] = [];
  let next = await result.matches.next();
  for (; next.done !== true; next = await result.matches.next()) {
    answers.push(
      Object.fromEntries(Object.entries(next.value).map(([tag, { values }]) => [tag, values as string[]])),
    );
  }
  return { answers, end: next.value };
}

/** One attribute of each answer, sorted. */
export async function column(archive: HeldArchive, query: FindQuery, tag: string): Promise<string[]> {
  const { answers } = await found(archive, query);
  return answers.map((answer) => (answer[tag] ?? ['absent']).join('\\')).sort();
}

export function refusal(result: ReturnType<HeldArchive['find']> | RetrieveResult): string {
  assert.ok(result.kind === 'refused', result.kind);
  return result.reason;
}

export const ann = {
  patientId: 'P1',
  patientName: 'Lovelace^Ann',
  patientBirthDate: '19800101',
  patientSex: 'F',
};
export const headCt = heldStudy({
  common: {
    ...ann,
    studyInstanceUid: '1.1',
    studyDate: '20260110',
    studyTime: '0915',
    studyDescription: 'Head',
    studyId: 'S1',
    accessionNumber: 'A1',
    referringPhysicianName: 'Referrer^R',
  },
  objects: [
    {
      seriesInstanceUid: '1.1.1',
      seriesNumber: '1',
      modality: 'CT',
      sopInstanceUid: '1.1.1.1',
      instanceNumber: '1',
    },
    {
      seriesInstanceUid: '1.1.1',
      seriesNumber: '1',
      modality: 'CT',
      sopInstanceUid: '1.1.1.2',
      instanceNumber: '2',
    },
    {
      seriesInstanceUid: '1.1.2',
      seriesNumber: '2',
      modality: 'SR',
      seriesDescription: 'Report',
      sopInstanceUid: '1.1.2.1',
      sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11',
      instanceNumber: '1',
    },
  ],
});
export const kneeMr = heldStudy({
  common: {
    ...ann,
    studyInstanceUid: '1.2',
    studyDate: '20260111',
    studyTime: '1830',
    studyDescription: 'Knee',
  },
  objects: [{ seriesInstanceUid: '1.2.1', modality: 'MR', sopInstanceUid: '1.2.1.1', instanceNumber: '1' }],
});
export const chestOfBob = heldStudy({
  common: { patientId: 'P2', patientName: 'Babbage^Bob', studyInstanceUid: '2.1', studyDate: '20260111' },
  objects: [{ seriesInstanceUid: '2.1.1', modality: 'CR', sopInstanceUid: '2.1.1.1', instanceNumber: '1' }],
});
export const all = archiveOf(headCt, kneeMr, chestOfBob);

export function shared(): HeldArchive {
  const other = heldStudy({
    common: { patientId: 'P3', patientName: 'Other^One', studyInstanceUid: '1.1' },
    objects: [{ seriesInstanceUid: '1.1.7', sopInstanceUid: '1.1.7.1' }],
  });
  return archiveOf(headCt, other);
}

export async function read(
  object: RetrievableObject,
  transferSyntaxUid: string = object.transferSyntaxUids[0],
): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of object.dataSet(transferSyntaxUid, new AbortController().signal))
    pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

export async function uidsSelected(archive: HeldArchive, query: FindQuery): Promise<string[]> {
  const result = await archive.select(query);
  assert.ok(result.kind === 'objects', JSON.stringify(result));
  return result.objects.map(({ sopInstanceUid }) => sopInstanceUid).sort();
}
