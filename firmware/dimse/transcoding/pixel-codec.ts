/** The codecs of dcmjs-codecs (WebAssembly), a frame at a time. Runs in a thread of its own: a codec may take long. */
import dcmjsCodecs from 'dcmjs-codecs';
import { frameBytesOf, type Image } from './image.ts';
import { TranscodingRefusal } from './refusal.ts';
import { codecOf, type Codec } from './ways.ts';

const { Context, NativeCodecs } = dcmjsCodecs;
type FrameContext = InstanceType<typeof Context>;

export interface DecodedFrame {
  readonly pixels: Uint8Array;
  readonly photometricInterpretation: string;
  readonly planarConfiguration: number;
}

/** Once, before anything is coded. */
export async function openCodecs(): Promise<void> {
  dcmjsCodecs.log.setLevel('silent');
  await NativeCodecs.initializeAsync();
}

const decoders: Readonly<Record<Codec, (context: FrameContext, isColour: boolean) => FrameContext>> = {
  rle: (context) => NativeCodecs.decodeRle(context),
  jpeg: (context, convertColorspaceToRgb) => NativeCodecs.decodeJpeg(context, { convertColorspaceToRgb }),
  'jpeg-ls': (context) => NativeCodecs.decodeJpegLs(context),
  'jpeg-2000': (context) => NativeCodecs.decodeJpeg2000(context),
  'ht-jpeg-2000': (context) => NativeCodecs.decodeHtJpeg2000(context),
};

const encoders: ReadonlyMap<string, (context: FrameContext) => FrameContext> = new Map([
  ['1.2.840.10008.1.2.5', (context) => NativeCodecs.encodeRle(context)],
  ['1.2.840.10008.1.2.4.80', (context) => NativeCodecs.encodeJpegLs(context, { lossy: false })],
  ['1.2.840.10008.1.2.4.90', (context) => NativeCodecs.encodeJpeg2000(context, { lossy: false })],
]);

/** @throws TranscodingRefusal with what the codec says. */
export function decodeFrame(transferSyntaxUid: string, image: Image, encoded: Uint8Array): DecodedFrame {
  const codec = codecOf(transferSyntaxUid);
  if (codec === undefined) throw new TranscodingRefusal(`no codec for ${transferSyntaxUid}`);
  // JPEG and JPEG 2000 hold colour as luminance and chrominance; what comes out of them is RGB (PS3.5, 8.2).
  const isYbr = image.photometricInterpretation.startsWith('YBR');
  const context = run(() =>
    decoders[codec](contextOf(image, { encodedBuffer: encoded }), codec === 'jpeg' && isYbr),
  );
  const pixels = context.getDecodedBuffer();
  if (pixels?.length !== frameBytesOf(image))
    throw new TranscodingRefusal('a frame that was decoded is not as large as the image');
  const isRgb = isYbr && (codec === 'jpeg' || codec === 'jpeg-2000' || codec === 'ht-jpeg-2000');
  return {
    pixels,
    photometricInterpretation: isRgb ? 'RGB' : image.photometricInterpretation,
    planarConfiguration: codec === 'rle' ? (context.getPlanarConfiguration() ?? 0) : 0,
  };
}

/** Without loss. @throws TranscodingRefusal with what the codec says. */
export function encodeFrame(transferSyntaxUid: string, image: Image, pixels: Uint8Array): Uint8Array {
  const encoder = encoders.get(transferSyntaxUid);
  if (encoder === undefined) throw new TranscodingRefusal(`nothing is encoded as ${transferSyntaxUid}`);
  const encoded = run(() => encoder(contextOf(image, { decodedBuffer: pixels }))).getEncodedBuffer();
  if (encoded === undefined) throw new TranscodingRefusal('a codec gave nothing');
  return encoded;
}

function contextOf(
  image: Image,
  buffer: { readonly encodedBuffer: Uint8Array } | { readonly decodedBuffer: Uint8Array },
): FrameContext {
  const { columns, rows, ...rest } = image;
  return new Context({ width: columns, height: rows, ...rest, ...buffer });
}

function run(code: () => FrameContext): FrameContext {
  try {
    return code();
  } catch (cause) {
    if (cause instanceof TranscodingRefusal) throw cause;
    throw new TranscodingRefusal(
      `the codec refuses a frame: ${cause instanceof Error ? cause.message.slice(0, 120) : 'no reason given'}`,
      { cause },
    );
  }
}
