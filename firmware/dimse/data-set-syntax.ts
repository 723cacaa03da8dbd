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
  /** 'by-content' for a private transfer syntax: its first element shows whether VRs are explicit. */
  readonly encoding: ElementEncoding | 'by-content';
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
      // Every other standard one is encapsulated, hence Explicit VR Little Endian (PS3.5 A.4).
      return {
        deflated: false,
        encoding: transferSyntaxUid.startsWith('1.2.840.10008.') ? explicitLittleEndian : 'by-content',
      };
  }
}

/** VRs whose explicit form has two reserved bytes and a length of four (PS3.5 7.1.2). */
const longVrs = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

export function isLongVr(vr: string): boolean {
  return longVrs.has(vr);
}
