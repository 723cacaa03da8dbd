/** One data set from one transfer syntax into another, as pieces that are made when they are asked for. */
import { inflateRawSync } from 'node:zlib';
import { dataSetSyntax, showsExplicitVr } from '../data-set-syntax.ts';
import { explicitVrLittleEndian, implicitVrLittleEndian } from '../uids.ts';
import { ElementParser, type Element } from './element-tree.ts';
import { elementHeader, encapsulated, writtenElements, type WrittenForm } from './element-writer.ts';
import { encodedFrames } from './frames.ts';
import { frameBytesOf, imageOf, tags, type Image } from './image.ts';
import { transcodedBytesMax } from './limits.ts';
import { decodeFrame, encodeFrame } from './pixel-codec.ts';
import { TranscodingRefusal } from './refusal.ts';
import { codecOf } from './ways.ts';

/** Only where pixels are encapsulated. */
const encapsulationTags: ReadonlySet<number> = new Set([
  tags.extendedOffsetTable,
  tags.extendedOffsetTableLengths,
  tags.encapsulatedLength,
]);

/** @throws TranscodingRefusal, before the first piece or instead of a later one. */
export function* transcodeDataSet(kept: Uint8Array, from: string, to: string): Generator<Uint8Array> {
  const { deflated, encoding } = dataSetSyntax(from);
  const bytes = deflated ? inflated(kept) : kept;
  if (!showsExplicitVr(bytes.subarray(4, 6)))
    throw new TranscodingRefusal('the data set is not in the transfer syntax that it was sent in');
  const elements = new ElementParser(bytes).parse(encoding);
  const form: WrittenForm = { explicitVr: to !== implicitVrLittleEndian, swapped: !encoding.littleEndian };
  const place = elements.findIndex(({ tag }) => tag === tags.pixelData);
  const pixelData = elements[place];
  if (pixelData?.fragments !== undefined) {
    yield* decompressed(elements, place, pixelData.fragments, from, form);
  } else if (pixelData !== undefined && ![explicitVrLittleEndian, implicitVrLittleEndian].includes(to)) {
    yield* compressed(elements, place, pixelData.value, to, form);
  } else {
    yield* writtenElements(elements, form);
  }
}

function inflated(kept: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(kept, { maxOutputLength: transcodedBytesMax });
  } catch (cause) {
    throw new TranscodingRefusal('the data set does not inflate, or to too much', { cause });
  }
}

function* decompressed(
  elements: readonly Element[],
  place: number,
  fragments: readonly Uint8Array[],
  from: string,
  form: WrittenForm,
): Generator<Uint8Array> {
  const image = imageOf(elements);
  const frames = encodedFrames(fragments, image.frames);
  const total = frames.length * frameBytesOf(image);
  if (frames.length !== image.frames || total > 0xfffffffe)
    throw new TranscodingRefusal('the frames are not as many as the image says, or too many');
  // What the first one turns out to be, all are.
  const first = decodeFrame(from, image, frames[0] ?? new Uint8Array(0));
  const before = elements.slice(0, place).filter(({ tag }) => !encapsulationTags.has(tag));
  yield* writtenElements(
    described(before, first.photometricInterpretation, first.planarConfiguration, image),
    form,
  );
  const vr = image.bitsAllocated > 8 ? 'OW' : 'OB';
  yield elementHeader(tags.pixelData, vr, total + (total % 2), form.explicitVr);
  yield first.pixels;
  for (const frame of frames.slice(1)) yield decodeFrame(from, image, frame).pixels;
  if (total % 2 === 1) yield new Uint8Array(1);
  yield* writtenElements(elements.slice(place + 1), form);
}

function* compressed(
  elements: readonly Element[],
  place: number,
  pixels: Uint8Array,
  to: string,
  form: WrittenForm,
): Generator<Uint8Array> {
  const image = imageOf(elements);
  const { photometricInterpretation, samplesPerPixel, planarConfiguration } = image;
  // Colour would have to be converted or its planes rearranged: only what is encoded as it is, is.
  const isPlain = samplesPerPixel === 1 || (photometricInterpretation === 'RGB' && planarConfiguration === 0);
  if (!isPlain) throw new TranscodingRefusal(`${photometricInterpretation} is not compressed here`);
  // Wider samples have no lossless form in JPEG-LS, nor in what JPEG 2000 decoders read.
  if (image.bitsAllocated > 16 && codecOf(to) !== 'rle')
    throw new TranscodingRefusal(`pixels of ${image.bitsAllocated} bits are not compressed so`);
  if (pixels.length < frameBytesOf(image) * image.frames) throw new TranscodingRefusal('pixels are missing');
  yield* writtenElements(elements.slice(0, place), form);
  yield elementHeader(tags.pixelData, 'OB', 0xffffffff, form.explicitVr);
  yield* encapsulated(encodedFramesOf(pixels, image, to));
  yield* writtenElements(elements.slice(place + 1), form);
}

function* encodedFramesOf(pixels: Uint8Array, image: Image, to: string): Generator<Uint8Array> {
  const bytes = frameBytesOf(image);
  for (let frame = 0; frame < image.frames; frame++)
    yield encodeFrame(to, image, pixels.subarray(frame * bytes, (frame + 1) * bytes));
}

/** The attributes that say how samples are arranged, as they are now. */
function described(
  elements: readonly Element[],
  photometricInterpretation: string,
  planarConfiguration: number,
  { samplesPerPixel }: Image,
): Element[] {
  const text = photometricInterpretation.padEnd(
    photometricInterpretation.length + (photometricInterpretation.length % 2),
  );
  return elements.map((element) => {
    if (element.tag === tags.photometricInterpretation)
      return { ...element, value: Buffer.from(text, 'latin1') };
    if (element.tag === tags.planarConfiguration && samplesPerPixel > 1)
      return { ...element, value: Uint8Array.of(planarConfiguration, 0) };
    return element;
  });
}
