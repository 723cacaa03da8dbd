import type { PatientCoercion } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { samePerson, type LocalPatient } from '../studies/patient-identity.ts';

/**
 * Under whom a fetched study is delivered: the local patient ID if the patient's wallet is bound here and the
 * demographics agree. Otherwise the foreign ID stays, with the source as its issuer, so that it cannot be taken for a
 * local one. Undefined for what modalities of this hospital sent: that goes on as it came.
 */
export function coercionOf(
  { created: { origin, patient } }: KeptStudy,
  local: LocalPatient | undefined,
  at: number,
): PatientCoercion | undefined {
  if (origin.kind !== 'fetched') return undefined;
  const { source } = origin;
  if (local !== undefined && samePerson(local, patient))
    return { patientId: local.patientId, issuer: local.issuer, source, at };
  const issuer = patient.issuer === '' ? source : patient.issuer;
  return { patientId: patient.patientId, issuer, source, at };
}
