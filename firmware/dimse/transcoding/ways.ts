/** From which transfer syntax into which others there is a way that loses nothing of what was kept (PS3.5, annex A). */
import {
  deflatedExplicitVrLittleEndian,
  explicitVrBigEndian,
  explicitVrLittleEndian,
  implicitVrLittleEndian,
} from '../uids.ts';

/** Codecs, by what they can read. */
export type Codec = 'rle' | 'jpeg' | 'jpeg-ls' | 'jpeg-2000' | 'ht-jpeg-2000';

const codecs: ReadonlyMap<string, Codec> = new Map([
  ['1.2.840.10008.1.2.5', 'rle'],
  // Baseline (process 1), extended (process 2 and 4), lossless (process 14), lossless first-order (process 14, selection value 1).
  ['1.2.840.10008.1.2.4.50', 'jpeg'],
  ['1.2.840.10008.1.2.4.51', 'jpeg'],
  ['1.2.840.10008.1.2.4.57', 'jpeg'],
  ['1.2.840.10008.1.2.4.70', 'jpeg'],
  ['1.2.840.10008.1.2.4.80', 'jpeg-ls'],
  ['1.2.840.10008.1.2.4.81', 'jpeg-ls'],
  ['1.2.840.10008.1.2.4.90', 'jpeg-2000'],
  ['1.2.840.10008.1.2.4.91', 'jpeg-2000'],
  ['1.2.840.10008.1.2.4.201', 'ht-jpeg-2000'],
  ['1.2.840.10008.1.2.4.202', 'ht-jpeg-2000'],
  ['1.2.840.10008.1.2.4.203', 'ht-jpeg-2000'],
]);

/** Lossless ones that are written where a destination takes no uncompressed data, the usual ones first. */
const written = ['1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.5'] as const;

const uncompressed = [explicitVrLittleEndian, implicitVrLittleEndian];

export function codecOf(transferSyntaxUid: string): Codec | undefined {
  return codecs.get(transferSyntaxUid);
}

/**
 * Preferred first; empty if there is no way. What was lossily compressed is decompressed, which takes nothing more from
 * it. Implicit VR is left as it is: it holds no VRs, and every DICOM peer takes it (PS3.5, 10.1).
 */
export function targetsOf(transferSyntaxUid: string): readonly string[] {
  switch (transferSyntaxUid) {
    case explicitVrLittleEndian:
      return [implicitVrLittleEndian, ...written];
    case explicitVrBigEndian:
    case deflatedExplicitVrLittleEndian:
      return uncompressed;
    default:
      return codecs.has(transferSyntaxUid) ? uncompressed : [];
  }
}
