/** Identifiers of queries and retrievals (PS3.4 C.4.1.1.3, C.4.2.1.4), judged and made into what is searched for. */
import type { DataElement, DataSet, FindQuery, Query, QueryLevel, QueryRefused } from '../ports.ts';
import {
  type Attribute,
  imageAttributes,
  instanceAvailability,
  issuerOfPatientId,
  levels,
  patientAttributes,
  patientCountTags,
  queryRetrieveLevel,
  retrieveAeTitle,
  seriesAttributes,
  specificCharacterSet,
  studyAttributes,
  studyDate,
  studyTime,
  tagText,
  timezoneOffsetFromUtc,
  uniqueKey,
  valuesOf,
} from './attributes.ts';
import { always, dateSpan, instantSpan, keySpan, overlap, timeSpan } from './dates.ts';
import type { InstanceEntity, PatientEntity, SeriesEntity, StudyEntity } from './entities.ts';
import { keyUidsMax } from './limits.ts';
import { compileKey } from './matching.ts';
import { hasWildcard } from './wildcard.ts';

/** One key of a query at the level of its entity. */
export interface Key<Entity> {
  readonly tag: string;
  readonly attribute: Attribute<Entity>;
  /** Undefined matches everything. */
  readonly matches: ((entity: Entity) => boolean) | undefined;
  /** Comparisons that one entity costs. */
  readonly cost: number;
}

export interface FindPlan {
  readonly kind: 'plan';
  readonly level: QueryLevel;
  readonly patient: readonly Key<PatientEntity>[];
  readonly study: readonly Key<StudyEntity>[];
  readonly series: readonly Key<SeriesEntity>[];
  readonly image: readonly Key<InstanceEntity>[];
  /** What bounds the search from the start, where these UIDs are given. */
  readonly studyInstanceUids: readonly string[] | undefined;
  readonly sopInstanceUids: readonly string[] | undefined;
  /** Instance Availability (0008,0056) is asked for. */
  readonly asksAvailability: boolean;
  readonly needsPatientCounts: boolean;
  readonly hasUnsupportedKeys: boolean;
}

export interface RetrievePlan {
  readonly kind: 'plan';
  readonly level: QueryLevel;
  readonly patientId: string | undefined;
  readonly issuer: string | undefined;
  readonly studyInstanceUids: readonly string[] | undefined;
  readonly seriesInstanceUids: readonly string[] | undefined;
  readonly sopInstanceUids: readonly string[] | undefined;
}

const refused = (reason: QueryRefused['reason'], detail: string): QueryRefused => ({
  kind: 'refused',
  reason,
  detail,
});

/** Elements that are no keys. */
const notKeys = new Set([
  specificCharacterSet,
  queryRetrieveLevel,
  retrieveAeTitle,
  instanceAvailability,
  timezoneOffsetFromUtc,
]);

/** VRs that hold bytes or items: a key in one of them says nothing that could be compared. */
const unreadableVrs = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'UN']);

/**
 * What to search for. Keys of levels above the asked one are matched too; the standard leaves all but the unique ones
 * out there, but many workstations send them. Keys of levels below are unsupported.
 */
export function planFind(query: FindQuery): FindPlan | QueryRefused {
  const { identifier } = query;
  const level = levelOf(query);
  if (typeof level !== 'string') return level;
  for (const above of levelsAbove(query, level)) {
    if (query.relational || isSingleValue(identifier[uniqueKey[above]])) continue;
    return refused(
      'identifier',
      `${tagText(uniqueKey[above])} must have one value at ${level} level without relational queries`,
    );
  }
  const reached = levels.slice(0, levels.indexOf(level) + 1);
  const keysAt = <Entity>(
    at: QueryLevel,
    attributes: Readonly<Record<string, Attribute<Entity>>>,
  ): Key<Entity>[] | QueryRefused => (reached.includes(at) ? keysOf(identifier, attributes) : []);
  const patient = keysAt('PATIENT', patientAttributes);
  if ('kind' in patient) return patient;
  const study = keysAt('STUDY', studyAttributes);
  if ('kind' in study) return study;
  const series = keysAt('SERIES', seriesAttributes);
  if ('kind' in series) return series;
  const image = keysAt('IMAGE', imageAttributes);
  if ('kind' in image) return image;
  const supported = new Set([...patient, ...study, ...series, ...image].map(({ tag }) => tag));
  return {
    kind: 'plan',
    level,
    patient,
    study: query.combinedDateTime ? withInstants(study, identifier) : study,
    series,
    image,
    studyInstanceUids: uidsSought(identifier, study, uniqueKey.STUDY),
    sopInstanceUids: uidsSought(identifier, image, uniqueKey.IMAGE),
    asksAvailability: identifier[instanceAvailability] !== undefined,
    needsPatientCounts: patient.some(({ tag }) => patientCountTags.has(tag)),
    hasUnsupportedKeys: Object.keys(identifier).some((tag) => !notKeys.has(tag) && !supported.has(tag)),
  };
}

/** What to send. Only unique keys count, and no wildcard: a `*` for a Patient ID is that character. */
export function planRetrieve(query: Query): RetrievePlan | QueryRefused {
  const { identifier } = query;
  const level = levelOf(query);
  if (typeof level !== 'string') return level;
  const given = (at: QueryLevel): readonly string[] => textsOf(identifier[uniqueKey[at]]);
  for (const above of levelsAbove(query, level)) {
    if (given(above).length === 1 || (query.relational && given(above).length === 0)) continue;
    return refused('identifier', `${tagText(uniqueKey[above])} must have one value at ${level} level`);
  }
  if (given(level).length === 0)
    return refused('identifier', `${tagText(uniqueKey[level])} has no value, but is what is retrieved`);
  if (given(level).length > keyUidsMax)
    return refused('value', `${tagText(uniqueKey[level])} has more than ${keyUidsMax} values`);
  if (given('PATIENT').length > 1)
    return refused('identifier', `${tagText(uniqueKey.PATIENT)} must have one value`);
  for (const below of levels.slice(levels.indexOf(level) + 1)) {
    if (given(below).length > 0)
      return refused('identifier', `${tagText(uniqueKey[below])} is below ${level} level`);
  }
  const listOf = (at: QueryLevel): readonly string[] | undefined =>
    given(at).length === 0 ? undefined : [...new Set(given(at))];
  return {
    kind: 'plan',
    level,
    // In Study Root no key, but it tells two patients under one study UID apart.
    patientId: given('PATIENT')[0],
    issuer: textsOf(identifier[issuerOfPatientId])[0],
    studyInstanceUids: listOf('STUDY'),
    seriesInstanceUids: listOf('SERIES'),
    sopInstanceUids: listOf('IMAGE'),
  };
}

function levelOf({ root, identifier }: Query): QueryLevel | QueryRefused {
  const [text] = textsOf(identifier[queryRetrieveLevel]);
  const level = levels.find((each) => each === text);
  if (level === undefined)
    return refused('identifier', `${tagText(queryRetrieveLevel)} names no Query/Retrieve Level`);
  if (root === 'STUDY' && level === 'PATIENT')
    return refused('identifier', 'Study Root has no PATIENT level');
  return level;
}

function levelsAbove({ root }: Query, level: QueryLevel): readonly QueryLevel[] {
  return levels.slice(levels.indexOf(root), levels.indexOf(level));
}

/** Without padding and empty ones; items of sequences are no text. */
function textsOf(element: DataElement | undefined): readonly string[] {
  if (element === undefined || unreadableVrs.has(element.vr)) return [];
  return element.values
    .filter((value) => typeof value === 'string')
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

function isSingleValue(element: DataElement | undefined): boolean {
  const [value, ...more] = textsOf(element);
  return value !== undefined && more.length === 0 && !hasWildcard(value);
}

function keysOf<Entity>(
  identifier: DataSet,
  attributes: Readonly<Record<string, Attribute<Entity>>>,
): Key<Entity>[] | QueryRefused {
  const keys: Key<Entity>[] = [];
  for (const [tag, attribute] of Object.entries(attributes)) {
    const element = identifier[tag];
    if (element === undefined) continue;
    if (unreadableVrs.has(element.vr) && element.values.length > 0)
      return refused('value', `${tagText(tag)} is not of VR ${attribute.vr}`);
    const match = compileKey(attribute.vr, textsOf(element));
    if (match.kind === 'malformed') return refused('value', `${tagText(tag)} ${match.reason}`);
    const matches =
      match.kind === 'universal'
        ? undefined
        : (entity: Entity): boolean => valuesOf(attribute, entity).some(match.matches);
    keys.push({ tag, attribute, matches, cost: match.kind === 'matcher' ? match.cost : 0 });
  }
  return keys;
}

/** Undefined where the key asks for all. */
function uidsSought<Entity>(
  identifier: DataSet,
  keys: readonly Key<Entity>[],
  tag: string,
): readonly string[] | undefined {
  const isBound = keys.some((key) => key.tag === tag && key.matches !== undefined);
  return isBound ? [...new Set(textsOf(identifier[tag]))] : undefined;
}

/**
 * A range of Study Dates beside one of Study Times as one range of instants (PS3.4 C.2.2.2.5, where date-time matching
 * was negotiated). A study without a time may have been at any time of its day.
 */
function withInstants(keys: readonly Key<StudyEntity>[], identifier: DataSet): readonly Key<StudyEntity>[] {
  const [date = ''] = textsOf(identifier[studyDate]);
  const [time = ''] = textsOf(identifier[studyTime]);
  if (!date.includes('-') || !time.includes('-')) return keys;
  const dates = keySpan(date, dateSpan);
  const times = keySpan(time, timeSpan);
  if (dates === undefined || times === undefined) return keys;
  const sought = instantSpan(dates, times);
  const matches = ({ header }: StudyEntity): boolean => {
    const day = dateSpan(header.studyDate ?? '');
    return day !== undefined && overlap(instantSpan(day, timeSpan(header.studyTime ?? '') ?? always), sought);
  };
  return keys.map((key) => (key.tag === studyDate || key.tag === studyTime ? { ...key, matches } : key));
}
