/** Takes a study of the archive into the catalogue by reference: its UIDs are committed to, its bytes stay where they are. */
import { randomBytes } from 'node:crypto';
import type { ArchivedInstance, ArchivedStudy, ArchiveScu, Clock } from '../ports.ts';
import { instanceKey } from '../protocol/commitments.ts';
import { isInstanceUid } from '../protocol/instance-prefix.ts';
import { studyInstancesMax } from '../protocol/limits.ts';
import { committedReference, referenceBytes } from '../protocol/references.ts';
import type { Catalogue } from '../studies/catalogue.ts';

export interface ReferencingOptions {
  readonly archive: ArchiveScu;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
}

/** `left out`: it cannot be registered, for want of a patient ID, of valid UIDs, or of any instance. */
export type Referenced = 'registered' | 'known' | 'left out';

export class Referencing {
  readonly #options: ReferencingOptions;

  constructor(options: ReferencingOptions) {
    this.#options = options;
  }

  /** Whether the box has this study already: from a modality, from elsewhere, or by reference. */
  isKnown(studyInstanceUid: string): boolean {
    return this.#options.catalogue
      .studiesUnder(studyInstanceUid)
      .some((study) => study.created.origin.kind !== 'referenced' || study.reference !== undefined);
  }

  /** On disk when it resolves. @throws AppError DELIVERY_FAILED, STORE_FAILED. */
  async refer(listed: ArchivedStudy, signal: AbortSignal): Promise<Referenced> {
    const { studyInstanceUid } = listed;
    if (this.isKnown(studyInstanceUid)) return 'known';
    if (listed.patientId === '' || !isInstanceUid(studyInstanceUid)) return 'left out';
    const instances = await this.#options.archive.instancesOf(studyInstanceUid, signal);
    if (!isReferable(instances)) return 'left out';
    // A modality may have sent it while the archive was asked.
    if (this.isKnown(studyInstanceUid)) return 'known';
    return this.#keep(listed, instances);
  }

  async #keep(listed: ArchivedStudy, instances: readonly ArchivedInstance[]): Promise<Referenced> {
    const { archive, catalogue, clock } = this.#options;
    const { studyInstanceUid, date, description, patientId, issuer, name, birthDate, sex } = listed;
    const at = clock.now();
    const study = await catalogue.obtain({
      is: 'study',
      studyInstanceUid,
      salt: randomBytes(32),
      origin: { kind: 'referenced', pacs: archive.aeTitle },
      patient: { patientId, issuer, name, birthDate, sex },
      callingAeTitle: '',
      date,
      description,
      at,
    });
    if (study.created.origin.kind !== 'referenced' || study.reference !== undefined) return 'known';
    const number = study.takeNumber();
    const committed = committedReference(
      instanceKey(study.created.salt, number),
      referenceBytes(studyInstanceUid, instances),
    );
    await study.append({
      is: 'reference',
      number,
      instanceKey: committed.key,
      length: committed.length,
      leaves: committed.leaves,
      instances: instances.length,
      modalities: [...new Set(instances.map(({ modality }) => modality))].filter((each) => each !== ''),
      at,
    });
    catalogue.changed(study);
    return 'registered';
  }
}

function isReferable(instances: readonly ArchivedInstance[]): boolean {
  const uids = instances.map(({ sopInstanceUid }) => sopInstanceUid);
  return (
    instances.length > 0 &&
    instances.length <= studyInstancesMax &&
    new Set(uids).size === uids.length &&
    instances.every(({ seriesInstanceUid, sopClassUid, sopInstanceUid }) =>
      [seriesInstanceUid, sopClassUid, sopInstanceUid].every(isInstanceUid),
    )
  );
}
