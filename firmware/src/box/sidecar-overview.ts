/** What the console shows of the hospital's archive. */
import type { SidecarView } from '../http/dicom-contract.ts';
import type { IncompleteStudy } from '../sidecar/incomplete-studies.ts';
import type { Sidecar } from './sidecar.ts';

export function sidecarView(sidecar: Sidecar): SidecarView {
  const incomplete = sidecar.incomplete();
  return {
    archive: sidecar.archive,
    pulling: sidecar.pulling(),
    backfill: sidecar.progress() ?? null,
    incompleteCount: incomplete.length,
    incomplete: incomplete.map(incompleteView),
  };
}

function incompleteView({ study, missing, at }: IncompleteStudy): SidecarView['incomplete'][number] {
  const { patient, date, description } = study.created;
  return {
    studyRef: study.ref,
    patientName: patient.name,
    patientId: patient.patientId,
    studyDate: date,
    description,
    objects: study.instanceCount,
    missing,
    at,
  };
}
