/** Kept studies as queries see them: records without files. */
import { randomUUID } from 'node:crypto';
import type { DataSetHeader, StudyFolder } from '../../firmware/src/ports.ts';
import { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import {
  toRecord,
  type ManifestRecord,
  type ObjectKept,
  type StudyOrigin,
} from '../../firmware/src/studies/manifest.ts';
import { patientOf } from '../../firmware/src/studies/patient-identity.ts';

export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
export const explicitLittleEndian = '1.2.840.10008.1.2.1';

export interface HeldStudyOptions {
  readonly origin?: StudyOrigin;
  /** One header for each object, in the order in which they came; study attributes stand in `common`. */
  readonly common: DataSetHeader;
  readonly objects: readonly (DataSetHeader & { readonly transferSyntaxUid?: string })[];
}

export function heldStudy({ origin = { kind: 'modality' }, common, objects }: HeldStudyOptions): KeptStudy {
  const study: ManifestRecord = {
    is: 'study',
    studyInstanceUid: common.studyInstanceUid ?? '',
    salt: new Uint8Array(32),
    origin,
    patient: patientOf(common),
    callingAeTitle: 'CT1',
    date: common.studyDate ?? '',
    description: common.studyDescription ?? '',
    at: 0,
  };
  const records = objects.map((object, number): ObjectKept => heldObject({ ...common, ...object }, number));
  const restored = KeptStudy.restore({
    folder: { ref: randomUUID() } as StudyFolder,
    records: [study, ...records].map(toRecord),
  });
  if (restored === undefined) throw new Error('a study without its first record');
  return restored;
}

function heldObject(
  { transferSyntaxUid = explicitLittleEndian, ...header }: HeldStudyOptions['objects'][number],
  number: number,
): ObjectKept {
  const { sopClassUid = ctImageStorage, sopInstanceUid = '' } = header;
  return {
    is: 'object',
    number,
    fileRef: '',
    frame: null,
    length: 0,
    lastTag: new Uint8Array(16),
    instanceKey: new Uint8Array(32),
    leaves: new Uint8Array(32),
    corrects: null,
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    callingAeTitle: 'CT1',
    header,
    at: 0,
  };
}

/** As much of a catalogue as queries use. */
export class HeldStudies {
  readonly #studies: KeptStudy[];

  constructor(...studies: readonly KeptStudy[]) {
    this.#studies = [...studies];
  }

  studyInstanceUids(): Iterable<string> {
    return new Set(this.#studies.map(({ created }) => created.studyInstanceUid));
  }

  studiesUnder(studyInstanceUid: string): readonly KeptStudy[] {
    return this.#studies.filter(({ created }) => created.studyInstanceUid === studyInstanceUid);
  }
}
