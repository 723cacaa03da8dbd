/** What a codec must know of an image (PS3.3, C.7.6.3). */
import { withoutTrailingPadding } from '../../src/encoding/padding.ts';
import type { Element } from './element-tree.ts';
import { frameBytesMax } from './limits.ts';
import { TranscodingRefusal } from './refusal.ts';

export const tags = {
  samplesPerPixel: 0x00280002,
  photometricInterpretation: 0x00280004,
  planarConfiguration: 0x00280006,
  numberOfFrames: 0x00280008,
  rows: 0x00280010,
  columns: 0x00280011,
  bitsAllocated: 0x00280100,
  bitsStored: 0x00280101,
  pixelRepresentation: 0x00280103,
  extendedOffsetTable: 0x7fe00001,
  extendedOffsetTableLengths: 0x7fe00002,
  encapsulatedLength: 0x7fe00003,
  pixelData: 0x7fe00010,
} as const;

export interface Image {
  readonly columns: number;
  readonly rows: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly samplesPerPixel: number;
  readonly pixelRepresentation: number;
  readonly planarConfiguration: number;
  readonly photometricInterpretation: string;
  readonly frames: number;
}

/** @throws TranscodingRefusal if something is missing or too large. Values are little endian. */
export function imageOf(elements: readonly Element[]): Image {
  const text = (tag: number): string => {
    const element = elements.find((candidate) => candidate.tag === tag);
    return withoutTrailingPadding(Buffer.from(element?.value ?? []).toString('latin1'));
  };
  const number = (tag: number, absent?: number): number => {
    const value = elements.find((candidate) => candidate.tag === tag)?.value;
    if (value?.length === 2) return (value[0] ?? 0) + 256 * (value[1] ?? 0);
    if (absent === undefined)
      throw new TranscodingRefusal('an attribute that describes the pixels is missing');
    return absent;
  };
  const image = {
    columns: number(tags.columns),
    rows: number(tags.rows),
    bitsAllocated: number(tags.bitsAllocated),
    bitsStored: number(tags.bitsStored),
    samplesPerPixel: number(tags.samplesPerPixel),
    pixelRepresentation: number(tags.pixelRepresentation, 0),
    planarConfiguration: number(tags.planarConfiguration, 0),
    photometricInterpretation: text(tags.photometricInterpretation),
    frames: Number(text(tags.numberOfFrames) || '1'),
  };
  if (!Number.isSafeInteger(image.frames) || image.frames < 1)
    throw new TranscodingRefusal('the number of frames is none');
  if (![8, 16, 32].includes(image.bitsAllocated))
    throw new TranscodingRefusal(`${image.bitsAllocated} bits are allocated for a pixel`);
  if (frameBytesOf(image) > frameBytesMax) throw new TranscodingRefusal('a frame is too large');
  return image;
}

export function frameBytesOf({ columns, rows, samplesPerPixel, bitsAllocated }: Image): number {
  return columns * rows * samplesPerPixel * (bitsAllocated / 8);
}
