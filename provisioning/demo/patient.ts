/** The patient of the demonstration, invented, as two hospitals know her. */
export interface DemoPatient {
  readonly patientId: string;
  /** PN */
  readonly name: string;
  /** DA */
  readonly birthDate: string;
  readonly sex: 'F' | 'M' | 'O';
}

const person = { name: 'Okafor^Imani', birthDate: '19790412', sex: 'F' } as const;

export const patientAtSource: DemoPatient = { ...person, patientId: 'HM-20417' };
export const patientAtGrantee: DemoPatient = { ...person, patientId: 'LQ-88131' };
