/** Names of the SOP classes that refused callers propose most (PS3.6, annex A), in the words of who runs modalities. */
const names: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.1': 'C-ECHO',
  '1.2.840.10008.1.20.1': 'Storage commitment',
  '1.2.840.10008.3.1.2.3.3': 'Procedure steps',
  '1.2.840.10008.5.1.4.1.1.1': 'CR',
  '1.2.840.10008.5.1.4.1.1.1.1': 'DX',
  '1.2.840.10008.5.1.4.1.1.1.1.1': 'DX',
  '1.2.840.10008.5.1.4.1.1.1.2': 'Mammography',
  '1.2.840.10008.5.1.4.1.1.1.2.1': 'Mammography',
  '1.2.840.10008.5.1.4.1.1.2': 'CT',
  '1.2.840.10008.5.1.4.1.1.2.1': 'CT, enhanced',
  '1.2.840.10008.5.1.4.1.1.3.1': 'Ultrasound',
  '1.2.840.10008.5.1.4.1.1.4': 'MR',
  '1.2.840.10008.5.1.4.1.1.4.1': 'MR, enhanced',
  '1.2.840.10008.5.1.4.1.1.6.1': 'Ultrasound',
  '1.2.840.10008.5.1.4.1.1.7': 'Secondary capture',
  '1.2.840.10008.5.1.4.1.1.9.1.1': 'ECG',
  '1.2.840.10008.5.1.4.1.1.12.1': 'Angiography',
  '1.2.840.10008.5.1.4.1.1.12.2': 'Fluoroscopy',
  '1.2.840.10008.5.1.4.1.1.13.1.3': 'Tomosynthesis',
  '1.2.840.10008.5.1.4.1.1.20': 'Nuclear medicine',
  '1.2.840.10008.5.1.4.1.1.77.1.6': 'Whole slide microscopy',
  '1.2.840.10008.5.1.4.1.1.88.22': 'Structured report',
  '1.2.840.10008.5.1.4.1.1.88.67': 'Dose report',
  '1.2.840.10008.5.1.4.1.1.104.1': 'PDF',
  '1.2.840.10008.5.1.4.1.1.128': 'PET',
  '1.2.840.10008.5.1.4.1.1.481.3': 'RT structures',
  '1.2.840.10008.5.1.4.1.2.1.1': 'Query',
  '1.2.840.10008.5.1.4.1.2.2.1': 'Query',
  '1.2.840.10008.5.1.4.1.2.1.2': 'Retrieve (C-MOVE)',
  '1.2.840.10008.5.1.4.1.2.2.2': 'Retrieve (C-MOVE)',
  '1.2.840.10008.5.1.4.1.2.1.3': 'Retrieve (C-GET)',
  '1.2.840.10008.5.1.4.1.2.2.3': 'Retrieve (C-GET)',
  '1.2.840.10008.5.1.4.31': 'Worklist',
  '1.2.840.10008.5.1.4.33': 'Availability',
};

/** Each name once, in the order proposed; what has none here stays a UID. */
export function sopClassNames(uids: readonly string[]): readonly string[] {
  return [...new Set(uids.map((uid) => names[uid] ?? uid))];
}
