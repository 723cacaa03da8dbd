/** What of the catalogue a query may see, study by study. */
import type { PatientCoercion } from '../ports.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { contradict, patientOf, type LocalPatient } from '../studies/patient-identity.ts';
import { headerOf, patientKey, StudyEntity, type PatientCounts } from './entities.ts';
import type { Slices } from './slices.ts';

export interface HoldingsOptions {
  readonly catalogue: Pick<Catalogue, 'studyInstanceUids' | 'studiesUnder'>;
  /** The patient ID under which a fetched study is delivered here; undefined leaves what its objects say. */
  readonly deliveredAs: (study: KeptStudy) => Pick<PatientCoercion, 'patientId' | 'issuer'> | undefined;
}

/** What is this hospital's own speaks for a study before what was fetched, and that before what the PACS sent back of it. */
function rank({ created: { origin } }: KeptStudy): number {
  return origin.kind === 'returned' ? 2 : origin.kind === 'fetched' ? 1 : 0;
}

export class Holdings {
  readonly #options: HoldingsOptions;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** One study, unless the UID came with the data of several patients; those with no object yet are not there. */
  under(studyInstanceUid: string): readonly StudyEntity[] {
    const { catalogue } = this.#options;
    const parts = catalogue
      .studiesUnder(studyInstanceUid)
      .filter(({ objects }) => objects.length > 0)
      .sort((a, b) => rank(a) - rank(b));
    const patients: { readonly patient: LocalPatient; readonly parts: KeptStudy[] }[] = [];
    for (const part of parts) {
      const patient = this.#patientOf(part);
      const known = patients.find((other) => !contradict(other.patient, patient));
      if (known === undefined) patients.push({ patient, parts: [part] });
      else known.parts.push(part);
    }
    return patients.map((each) => new StudyEntity(studyInstanceUid, each.patient, each.parts));
  }

  #patientOf(study: KeptStudy): LocalPatient {
    const patient = patientOf(headerOf(study));
    const delivered = this.#options.deliveredAs(study);
    return delivered === undefined
      ? patient
      : { ...patient, patientId: delivered.patientId, issuer: delivered.issuer };
  }

  /** The studies with these UIDs, or all; what is added meanwhile may be among them or not. */
  async *studies(
    studyInstanceUids: Iterable<string> | undefined,
    slices: Slices,
  ): AsyncGenerator<StudyEntity, void> {
    for (const uid of studyInstanceUids ?? this.#options.catalogue.studyInstanceUids()) {
      if (slices.spend(1)) await slices.rest();
      if (slices.isCancelled) return;
      for (const study of this.under(uid)) {
        yield study;
        if (slices.spend(study.examined)) await slices.rest();
      }
    }
  }

  /** By `patientKey`. */
  async countByPatient(slices: Slices): Promise<ReadonlyMap<string, PatientCounts>> {
    const counts = new Map<string, PatientCounts>();
    for await (const study of this.studies(undefined, slices)) {
      const key = patientKey(study.patient);
      const count = counts.get(key) ?? { studies: 0, series: 0, instances: 0 };
      count.studies += 1;
      count.series += study.series.size;
      count.instances += study.instances.length;
      counts.set(key, count);
    }
    return counts;
  }
}
