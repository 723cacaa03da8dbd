/** What the standard calls its UIDs and attributes: test/vectors/dicom-names.json, which pydicom's dictionaries confirm. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../source-tree.ts';

interface DicomNames {
  /** UID, name without "SOP Class", and `retired` where it is. */
  readonly sopClasses: readonly (readonly [uid: string, name: string, retired?: 'retired'])[];
  readonly transferSyntaxes: readonly (readonly [uid: string, name: string])[];
  readonly attributes: readonly (readonly [tag: string, name: string])[];
}

export const dicomNames = JSON.parse(
  readFileSync(join(root, 'test/vectors/dicom-names.json'), 'utf8'),
) as DicomNames;

const sopClasses = new Map(dicomNames.sopClasses.map(([uid, name]) => [uid, name]));
const transferSyntaxes = new Map(dicomNames.transferSyntaxes);
const attributes = new Map(dicomNames.attributes);

/** @throws Error for one that the vector does not name: the page would show a bare number. */
function named(names: ReadonlyMap<string, string>, key: string): string {
  const name = names.get(key);
  if (name === undefined) throw new Error(`test/vectors/dicom-names.json does not name ${key}`);
  return name;
}

export const sopClassName = (uid: string): string => named(sopClasses, uid);
export const transferSyntaxName = (uid: string): string => named(transferSyntaxes, uid);

/** Name and tag: Study Date (0008,0020). */
export const attributeName = (tag: string): string =>
  `${named(attributes, tag)} (${tag.slice(0, 4)},${tag.slice(4)})`;
