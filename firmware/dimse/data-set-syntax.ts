/** How a transfer syntax lays out the elements of a data set (PS3.5 clause 7, annex A). */
import {
  deflatedExplicitVrLittleEndian,
  explicitVrBigEndian,
  explicitVrLittleEndian,
  implicitVrLittleEndian,
} from './uids.ts';

export interface ElementEncoding {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
}

export interface DataSetSyntax {
  readonly deflated: boolean;
  /** As declared; the first element shows whether it is so (`showsExplicitVr`). */
  readonly encoding: ElementEncoding;
}

export const implicitLittleEndian: ElementEncoding = { explicitVr: false, littleEndian: true };
export const explicitLittleEndian: ElementEncoding = { explicitVr: true, littleEndian: true };
const explicitBigEndian: ElementEncoding = { explicitVr: true, littleEndian: false };

export function dataSetSyntax(transferSyntaxUid: string): DataSetSyntax {
  switch (transferSyntaxUid) {
    case implicitVrLittleEndian:
      return { deflated: false, encoding: implicitLittleEndian };
    case explicitVrLittleEndian:
      return { deflated: false, encoding: explicitLittleEndian };
    case explicitVrBigEndian:
      return { deflated: false, encoding: explicitBigEndian };
    // JPIP Referenced Deflate and JPIP HTJ2K Referenced Deflate deflate the whole data set too (PS3.5 annex A).
    case deflatedExplicitVrLittleEndian:
    case '1.2.840.10008.1.2.4.95':
    case '1.2.840.10008.1.2.4.205':
      return { deflated: true, encoding: explicitLittleEndian };
    default:
      // Every other standard one is encapsulated, hence Explicit VR Little Endian (PS3.5 A.4); private ones mostly are.
      return { deflated: false, encoding: explicitLittleEndian };
  }
}

/** VRs whose explicit form has two reserved bytes and a length of four (PS3.5 7.1.2). */
const longVrs = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

export function isLongVr(vr: string): boolean {
  return longVrs.has(vr);
}

const shortVrs = new Set([
  'AE',
  'AS',
  'AT',
  'CS',
  'DA',
  'DS',
  'DT',
  'FD',
  'FL',
  'IS',
  'LO',
  'LT',
  'PN',
  'SH',
  'SL',
  'SS',
  'ST',
  'TM',
  'UI',
  'UL',
  'US',
]);

/**
 * Whether VRs are explicit, by the two bytes after the first tag: devices exist that declare one and write the other,
 * and private transfer syntaxes declare nothing. An implicit length that looks like a VR would be above 16 KB, which
 * no first element has.
 */
export function showsExplicitVr(afterTag: Uint8Array): boolean {
  const vr = String.fromCharCode(...afterTag);
  return shortVrs.has(vr) || longVrs.has(vr);
}
