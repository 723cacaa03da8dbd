/**
 * The attributes by which the box can be searched and that it returns, by the level of the information model to which
 * they belong (PS3.4 C.6.1.1, C.6.2.1). All others are unsupported keys.
 */
import type { QueryLevel } from '../ports.ts';
import type { InstanceEntity, PatientEntity, SeriesEntity, StudyEntity } from './entities.ts';
import type { KeyVr } from './matching.ts';

export interface Attribute<Entity> {
  readonly vr: KeyVr;
  /** Several values stay joined by backslashes; undefined and '' are no value. */
  readonly of: (entity: Entity) => string | readonly string[] | undefined;
}

type Attributes<Entity> = Readonly<Record<string, Attribute<Entity>>>;

export const queryRetrieveLevel = '00080052';
export const retrieveAeTitle = '00080054';
export const instanceAvailability = '00080056';
export const specificCharacterSet = '00080005';
/** Says how to read a key's times, is none itself; Timezone Query Adjustment is not offered. */
export const timezoneOffsetFromUtc = '00080201';
export const issuerOfPatientId = '00100021';
export const studyDate = '00080020';
export const studyTime = '00080030';

export const levels: readonly QueryLevel[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE'];

/** The unique key of each level (PS3.4 C.6.1.1.2 to C.6.1.1.5). */
export const uniqueKey: Readonly<Record<QueryLevel, string>> = {
  PATIENT: '00100020',
  STUDY: '0020000D',
  SERIES: '0020000E',
  IMAGE: '00080018',
};

/** Distinct, sorted, without empty ones. */
const distinct = (values: Iterable<string | undefined>): readonly string[] =>
  [...new Set(values)].filter((value) => value !== undefined && value !== '').sort() as string[];

const countText = (count: number | undefined): string | undefined => count?.toString();

export const patientCountTags: ReadonlySet<string> = new Set(['00201200', '00201202', '00201204']);

export const patientAttributes: Attributes<PatientEntity> = {
  '00100010': { vr: 'PN', of: ({ patient }) => patient.name },
  [uniqueKey.PATIENT]: { vr: 'LO', of: ({ patient }) => patient.patientId },
  [issuerOfPatientId]: { vr: 'LO', of: ({ patient }) => patient.issuer },
  '00100030': { vr: 'DA', of: ({ patient }) => patient.birthDate },
  '00100040': { vr: 'CS', of: ({ patient }) => patient.sex },
  '00201200': { vr: 'IS', of: ({ counts }) => countText(counts?.studies) },
  '00201202': { vr: 'IS', of: ({ counts }) => countText(counts?.series) },
  '00201204': { vr: 'IS', of: ({ counts }) => countText(counts?.instances) },
};

export const studyAttributes: Attributes<StudyEntity> = {
  [uniqueKey.STUDY]: { vr: 'UI', of: (study) => study.studyInstanceUid },
  [studyDate]: { vr: 'DA', of: (study) => study.header.studyDate },
  [studyTime]: { vr: 'TM', of: (study) => study.header.studyTime },
  '00080050': { vr: 'SH', of: (study) => study.header.accessionNumber },
  '00080061': {
    vr: 'CS',
    of: (study) => distinct(study.instances.map(({ object }) => object.header.modality)),
  },
  '00080062': { vr: 'UI', of: (study) => distinct(study.instances.map(({ object }) => object.sopClassUid)) },
  '00080090': { vr: 'PN', of: (study) => study.header.referringPhysicianName },
  '00081030': { vr: 'LO', of: (study) => study.header.studyDescription },
  '00200010': { vr: 'SH', of: (study) => study.header.studyId },
  '00201206': { vr: 'IS', of: (study) => countText(study.series.size) },
  '00201208': { vr: 'IS', of: (study) => countText(study.instances.length) },
};

const firstHeader = ({ instances: [first] }: SeriesEntity): InstanceEntity['object']['header'] =>
  first.object.header;

export const seriesAttributes: Attributes<SeriesEntity> = {
  [uniqueKey.SERIES]: { vr: 'UI', of: (series) => series.seriesInstanceUid },
  '00080060': { vr: 'CS', of: (series) => firstHeader(series).modality },
  '00080080': { vr: 'LO', of: (series) => firstHeader(series).institutionName },
  '0008103E': { vr: 'LO', of: (series) => firstHeader(series).seriesDescription },
  '00180015': { vr: 'CS', of: (series) => firstHeader(series).bodyPartExamined },
  '00200011': { vr: 'IS', of: (series) => firstHeader(series).seriesNumber },
  '00201209': { vr: 'IS', of: (series) => countText(series.instances.length) },
};

export const imageAttributes: Attributes<InstanceEntity> = {
  [uniqueKey.IMAGE]: { vr: 'UI', of: ({ object }) => object.sopInstanceUid },
  '00080016': { vr: 'UI', of: ({ object }) => object.sopClassUid },
  '00083002': { vr: 'UI', of: ({ object }) => object.transferSyntaxUid },
  '00200013': { vr: 'IS', of: ({ object }) => object.header.instanceNumber },
};

/** Values of an entity, of which a key must match one. */
export function valuesOf<Entity>({ of }: Attribute<Entity>, entity: Entity): readonly string[] {
  const values = of(entity) ?? [];
  return (typeof values === 'string' ? values.split('\\') : values).filter((value) => value !== '');
}

/** A tag as the standard writes it: (0008,0020). */
export function tagText(tag: string): string {
  return `(${tag.slice(0, 4)},${tag.slice(4)})`;
}
