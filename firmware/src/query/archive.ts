/** Answers queries and says what a retrieval sends (PS3.4 annex C), from what the box holds. */
import type {
  DataElement,
  DataSet,
  FindEnd,
  FindQuery,
  FindResult,
  Query,
  QueryArchive,
  QueryRefused,
  RetrievableObject,
  RetrieveResult,
  Transcoder,
} from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import {
  instanceAvailability,
  queryRetrieveLevel,
  retrieveAeTitle,
  specificCharacterSet,
  tagText,
  uniqueKey,
  valuesOf,
} from './attributes.ts';
import {
  patientKey,
  seriesInstanceUidOf,
  type InstanceEntity,
  type PatientCounts,
  type PatientEntity,
  type StudyEntity,
} from './entities.ts';
import { Holdings, type HoldingsOptions } from './holdings.ts';
import { planFind, planRetrieve, type FindPlan, type Key, type RetrievePlan } from './identifier.ts';
import { matchesMax } from './limits.ts';
import { SearchTurns, Slices } from './slices.ts';

export interface HeldArchiveOptions extends HoldingsOptions {
  /** The data set as it leaves the box, in its kept syntax: of a fetched study under the local patient ID. */
  readonly dataSetOf: (study: KeptStudy, object: ObjectKept) => AsyncIterable<Uint8Array>;
  readonly transcoder: Transcoder;
}

export class HeldArchive implements QueryArchive {
  readonly #holdings: Holdings;
  readonly #turns = new SearchTurns();
  readonly #options: Pick<HeldArchiveOptions, 'dataSetOf' | 'transcoder'>;

  constructor(options: HeldArchiveOptions) {
    this.#holdings = new Holdings(options);
    this.#options = options;
  }

  find(query: FindQuery): FindResult {
    const plan = planFind(query);
    if (plan.kind === 'refused') return plan;
    const { hasUnsupportedKeys } = plan;
    return { kind: 'matches', hasUnsupportedKeys, matches: this.#upToLimit(plan, query) };
  }

  async select(query: Query): Promise<RetrieveResult> {
    const plan = planRetrieve(query);
    if (plan.kind === 'refused') return plan;
    const slices = new Slices(this.#turns, query.signal);
    const objects: RetrievableObject[] = [];
    /** The patient of what is selected under one Patient ID or study UID. */
    const patients = new Map<string, string>();
    for await (const study of this.#holdings.studies(plan.studyInstanceUids, slices)) {
      const instances = await selected(plan, study, slices);
      if (instances.length === 0) continue;
      const subject = plan.level === 'PATIENT' ? uniqueKey.PATIENT : study.studyInstanceUid;
      const patient = patientKey(study.patient);
      if ((patients.get(subject) ?? patient) !== patient) return ofSeveralPatients(plan);
      patients.set(subject, patient);
      for (const instance of instances) objects.push(this.#retrievable(instance));
    }
    return slices.isCancelled ? { kind: 'cancelled' } : { kind: 'objects', objects };
  }

  #retrievable({ study, object }: InstanceEntity): RetrievableObject {
    const { dataSetOf, transcoder } = this.#options;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid: kept } = object;
    return {
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUids: [kept, ...transcoder.targets(kept)],
      dataSet: (wanted, signal) =>
        wanted === kept
          ? dataSetOf(study, object)
          : transcoder.transcode(dataSetOf(study, object), kept, wanted, signal),
    };
  }

  async *#upToLimit(plan: FindPlan, query: FindQuery): AsyncGenerator<DataSet, FindEnd> {
    let found = 0;
    const slices = new Slices(this.#turns, query.signal);
    for await (const elements of this.#matches(plan, slices)) {
      if (found === matchesMax) return 'limit';
      found += 1;
      yield answerOf(plan, query, elements);
    }
    return slices.isCancelled ? 'cancelled' : 'complete';
  }

  async *#matches(plan: FindPlan, slices: Slices): AsyncGenerator<readonly Elements[], void> {
    const counts = plan.needsPatientCounts ? await this.#holdings.countByPatient(slices) : undefined;
    const patientsSeen = new Set<string>();
    for await (const study of this.#holdings.studies(plan.studyInstanceUids, slices)) {
      const patient = patientEntity(study, counts);
      if (slices.spend(costOf(plan.patient) + costOf(plan.study))) await slices.rest();
      if (!matchesAll(plan.patient, patient)) continue;
      if (plan.level === 'PATIENT') {
        const key = patientKey(study.patient);
        if (patientsSeen.has(key)) continue;
        patientsSeen.add(key);
        yield [elementsOf(plan.patient, patient)];
        continue;
      }
      if (!matchesAll(plan.study, study)) continue;
      const above = [elementsOf(plan.patient, patient), elementsOf(plan.study, study)];
      if (plan.level === 'STUDY') yield above;
      else yield* below(plan, study, above, slices);
    }
  }
}

type Elements = Readonly<Record<string, DataElement>>;

function patientEntity(
  { patient }: StudyEntity,
  counts: ReadonlyMap<string, PatientCounts> | undefined,
): PatientEntity {
  return { patient, counts: counts?.get(patientKey(patient)) };
}

/** Series or images of a study that matches. */
async function* below(
  plan: FindPlan,
  study: StudyEntity,
  above: readonly Elements[],
  slices: Slices,
): AsyncGenerator<readonly Elements[], void> {
  const cost = 1 + costOf(plan.series) + costOf(plan.image);
  if (plan.level === 'SERIES') {
    for (const series of study.series.values()) {
      if (slices.spend(cost)) await slices.rest();
      if (matchesAll(plan.series, series)) yield [...above, elementsOf(plan.series, series)];
    }
    return;
  }
  for (const instance of candidates(study, plan.sopInstanceUids)) {
    if (slices.spend(cost)) await slices.rest();
    if (slices.isCancelled) return;
    if (instance === undefined || !matchesAll(plan.image, instance)) continue;
    const image = elementsOf(plan.image, instance);
    if (plan.series.length === 0) {
      yield [...above, image];
      continue;
    }
    const series = study.series.get(seriesInstanceUidOf(instance));
    if (series !== undefined && matchesAll(plan.series, series))
      yield [...above, elementsOf(plan.series, series), image];
  }
}

function costOf<Entity>(keys: readonly Key<Entity>[]): number {
  return keys.reduce((sum, { cost }) => sum + cost, 0);
}

function matchesAll<Entity>(keys: readonly Key<Entity>[], entity: Entity): boolean {
  return keys.every(({ matches }) => matches === undefined || matches(entity));
}

function elementsOf<Entity>(keys: readonly Key<Entity>[], entity: Entity): Elements {
  return Object.fromEntries(
    keys.map(({ tag, attribute }) => [tag, { vr: attribute.vr, values: valuesOf(attribute, entity) }]),
  );
}

/** PS3.4 C.4.1.1.3.2. The character set of the query is kept where it holds the answer; the codec sees to that. */
function answerOf(plan: FindPlan, query: FindQuery, elements: readonly Elements[]): DataSet {
  const characterSet = query.identifier[specificCharacterSet];
  return Object.assign(
    {
      ...(characterSet !== undefined && { [specificCharacterSet]: characterSet }),
      [queryRetrieveLevel]: { vr: 'CS', values: [plan.level] },
      [retrieveAeTitle]: { vr: 'AE', values: [query.retrieveAeTitle] },
      ...(plan.asksAvailability && { [instanceAvailability]: { vr: 'CS', values: ['ONLINE'] } }),
    },
    ...elements,
  ) as DataSet;
}

/** All of a study, or one for each UID: undefined where that is not held. */
function candidates(
  study: StudyEntity,
  sopInstanceUids: readonly string[] | undefined,
): Iterable<InstanceEntity | undefined> {
  return sopInstanceUids === undefined ? study.instances : study.lookedUp(sopInstanceUids);
}

/** What of a study is to be sent; nothing if that was cancelled meanwhile. */
async function selected(
  plan: RetrievePlan,
  study: StudyEntity,
  slices: Slices,
): Promise<readonly InstanceEntity[]> {
  const { patientId, issuer, seriesInstanceUids, sopInstanceUids } = plan;
  if (patientId !== undefined && study.patient.patientId !== patientId) return [];
  if (issuer !== undefined && study.patient.issuer !== issuer) return [];
  const series = seriesInstanceUids && new Set(seriesInstanceUids);
  const chosen: InstanceEntity[] = [];
  for (const instance of candidates(study, sopInstanceUids)) {
    if (slices.spend(1)) await slices.rest();
    if (slices.isCancelled) return [];
    if (instance !== undefined && series?.has(seriesInstanceUidOf(instance)) !== false) chosen.push(instance);
  }
  return chosen;
}

/** Whoever asks expects one patient's images: two under one ID or study UID are not sent as if they were one. */
function ofSeveralPatients({ level }: RetrievePlan): QueryRefused {
  const detail =
    level === 'PATIENT'
      ? `several patients have this ID: name the issuer ${tagText('00100021')}`
      : `several patients' data have this study UID: name ${tagText(uniqueKey.PATIENT)}`;
  return { kind: 'refused', reason: 'value', detail };
}
