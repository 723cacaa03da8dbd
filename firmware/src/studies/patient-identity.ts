/** Who a patient is at one hospital, and when two records speak of the same person. */
import { withoutTrailing } from '../encoding/padding.ts';
import type { DataSetHeader } from '../ports.ts';

export interface LocalPatient {
  readonly patientId: string;
  readonly issuer: string;
  /** PN, PS3.5 section 6.2. */
  readonly name: string;
  /** DA: YYYYMMDD. */
  readonly birthDate: string;
  /** CS: F, M or O. */
  readonly sex: string;
}

/**
 * Trailing component delimiters and letter case carry no meaning in a PN (PS3.5, 6.2.1.1), nor does whether an accent is
 * a character of its own.
 */
function comparableName(name: string): string {
  const [alphabetic = ''] = name.split('=');
  const components = alphabetic
    .normalize('NFC')
    .split('^')
    .map((component) => component.trim().toLocaleLowerCase('en'));
  return withoutTrailing(components.join('^'), '^');
}

/** Name, birth date and sex must all match: an ID alone has been typed wrongly too often. */
export function samePerson(
  a: Pick<LocalPatient, 'name' | 'birthDate' | 'sex'>,
  b: Pick<LocalPatient, 'name' | 'birthDate' | 'sex'>,
): boolean {
  return comparableName(a.name) === comparableName(b.name) && a.birthDate === b.birthDate && a.sex === b.sex;
}

/**
 * True if two objects cannot be of one patient: what both say differs. Objects of one study often say less than others,
 * and write a name in more than one way; under one ID a name alone contradicts nothing, a birth date or sex does.
 */
export function contradict(a: LocalPatient, b: LocalPatient): boolean {
  const differ = (x: string, y: string): boolean => x !== '' && y !== '' && x !== y;
  const sameId = a.patientId !== '' && a.patientId === b.patientId;
  return (
    differ(a.patientId, b.patientId) ||
    differ(a.issuer, b.issuer) ||
    differ(a.birthDate, b.birthDate) ||
    differ(a.sex, b.sex) ||
    (!sameId && differ(comparableName(a.name), comparableName(b.name)))
  );
}

/** The patient whom a data set names; absent attributes are empty. */
export function patientOf(header: DataSetHeader): LocalPatient {
  return {
    patientId: header.patientId ?? '',
    issuer: header.issuerOfPatientId ?? '',
    name: header.patientName ?? '',
    birthDate: header.patientBirthDate ?? '',
    sex: header.patientSex ?? '',
  };
}
