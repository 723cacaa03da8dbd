/**
 * Patients, studies, series and instances as a query sees them (PS3.4 C.6.1.1), made while it runs and dropped with it:
 * the catalogue stays the only place that holds them.
 */
import type { DataSetHeader } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';

/** Everything that the box holds of one patient. */
export interface PatientCounts {
  studies: number;
  series: number;
  instances: number;
}

export interface PatientEntity {
  readonly patient: LocalPatient;
  readonly counts: PatientCounts | undefined;
}

/** The newest version of one SOP instance. */
export interface InstanceEntity {
  readonly study: KeptStudy;
  readonly object: ObjectKept;
}

export interface SeriesEntity {
  readonly seriesInstanceUid: string;
  /** In the order in which they came; at least one. */
  readonly instances: readonly [InstanceEntity, ...InstanceEntity[]];
}

/**
 * One patient's study. It may be kept in several parts, as when the PACS routed some of a fetched study back: each SOP
 * instance counts once, from the first part that has it.
 */
export class StudyEntity {
  readonly studyInstanceUid: string;
  readonly patient: LocalPatient;
  readonly #parts: readonly KeptStudy[];
  #instances: readonly InstanceEntity[] | undefined;
  #series: ReadonlyMap<string, SeriesEntity> | undefined;

  /** Each part has objects. */
  constructor(studyInstanceUid: string, patient: LocalPatient, parts: readonly KeptStudy[]) {
    this.studyInstanceUid = studyInstanceUid;
    this.patient = patient;
    this.#parts = parts;
  }

  get header(): DataSetHeader {
    const [first] = this.#parts;
    return first === undefined ? {} : headerOf(first);
  }

  /** Objects that were gone through so far at one go, for whoever shares out the time. */
  get examined(): number {
    return this.#instances?.length ?? 0;
  }

  get instances(): readonly InstanceEntity[] {
    this.#instances ??= this.#parts.flatMap((study) =>
      study.objects.flatMap((object) => (this.#counts(study, object) ? [{ study, object }] : [])),
    );
    return this.#instances;
  }

  /**
   * Some SOP instances alone, without going through all: one for each UID, undefined where it is not held. Looked up as
   * they are taken, so that others can have their turn in between.
   */
  *lookedUp(sopInstanceUids: Iterable<string>): Generator<InstanceEntity | undefined, void> {
    for (const uid of sopInstanceUids) {
      const study = this.#parts.find((part) => part.instances(uid).length > 0);
      const object = study?.instances(uid).at(-1);
      yield study === undefined || object === undefined ? undefined : { study, object };
    }
  }

  get series(): ReadonlyMap<string, SeriesEntity> {
    if (this.#series !== undefined) return this.#series;
    const series = new Map<string, [InstanceEntity, ...InstanceEntity[]]>();
    for (const instance of this.instances) {
      const uid = seriesInstanceUidOf(instance);
      const known = series.get(uid);
      if (known === undefined) series.set(uid, [instance]);
      else known.push(instance);
    }
    this.#series = new Map(
      [...series].map(([seriesInstanceUid, instances]) => [
        seriesInstanceUid,
        { seriesInstanceUid, instances },
      ]),
    );
    return this.#series;
  }

  #counts(study: KeptStudy, object: ObjectKept): boolean {
    const { sopInstanceUid } = object;
    if (study.instances(sopInstanceUid).at(-1) !== object) return false;
    for (const part of this.#parts) {
      if (part === study) return true;
      if (part.instances(sopInstanceUid).length > 0) return false;
    }
    return true;
  }
}

/** The header that speaks for a study: of its first object, in the newest version. */
export function headerOf(study: KeptStudy): DataSetHeader {
  const [first] = study.objects;
  if (first === undefined) return {};
  return (study.instances(first.sopInstanceUid).at(-1) ?? first).header;
}

export function seriesInstanceUidOf({ object }: InstanceEntity): string {
  return object.header.seriesInstanceUid ?? '';
}

/** Tells patients apart: by Patient ID and issuer; those without an ID by what else is known of them. */
export function patientKey({ patientId, issuer, name, birthDate, sex }: LocalPatient): string {
  return JSON.stringify(patientId === '' ? ['', name, birthDate, sex] : [patientId, issuer]);
}
