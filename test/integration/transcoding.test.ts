/** Transcoding of real objects: pixels and attributes as gdcm's and dcmtk's independent codecs make them, read by pydicom. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { part10Header } from '../../firmware/dimse/index.ts';
import { ThreadTranscoder } from '../../firmware/dimse/transcoding/thread-transcoder.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  inPieces,
  pydicomFiles,
  readDicomFile,
  runPython,
  runTool,
  temporaryFolder,
} from '../support/dimse-tools.ts';

const explicitLittle = '1.2.840.10008.1.2.1';
const implicitLittle = '1.2.840.10008.1.2';

let folder = '';
const transcoder = new ThreadTranscoder(realClock);

before(async () => {
  folder = await temporaryFolder();
});

after(async () => {
  await transcoder.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Tells where two objects differ, beside what a reference program adds, and beside what says how pixels are arranged. */
const compare = `
import sys, json, pydicom
skipped = {0x00280008, 0x7fe00010, 0x7fe00001, 0x7fe00002, 0x00280006, 0x00280004, 0x00080018, 0x00282110, 0x00282112, 0x00282114, 0x00080008, 0x00082112, 0x00089215}
def tree(ds):
    out = {}
    for e in ds:
        if e.tag in skipped or e.tag.element == 0: continue
        if e.VR == 'SQ': out[str(e.tag)] = [tree(i) for i in e.value]
        else: out[str(e.tag)] = (e.VR, repr(e.value))
    return out
ours, kept, reference = (pydicom.dcmread(p, force=True) for p in sys.argv[1:4])
a, b = tree(ours), tree(kept)
print(json.dumps({
  'attributes': [k for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)],
  'pixels': (ours.get('PixelData') or b'').rstrip(bytes(1)) == (reference.get('PixelData') or b'').rstrip(bytes(1)),
  'photometric': [str(ours.get('PhotometricInterpretation')), str(reference.get('PhotometricInterpretation'))],
  'planar': [ours.get('PlanarConfiguration'), reference.get('PlanarConfiguration')],
}))
`;

interface Comparison {
  readonly attributes: readonly string[];
  readonly pixels: boolean;
  readonly photometric: readonly [string, string];
  readonly planar: readonly [number | null, number | null];
}

async function transcoded(path: string, to: string, outPath: string): Promise<void> {
  const object = await readDicomFile(path);
  assert.ok(object.kind === 'object', path);
  const parts: Uint8Array[] = [];
  const signal = new AbortController().signal;
  const pieces = transcoder.transcode(
    inPieces(object.dataSet, 100_000),
    object.transferSyntaxUid,
    to,
    signal,
  );
  for await (const piece of pieces) parts.push(piece);
  const header = part10Header({ ...object, transferSyntaxUid: to });
  await writeFile(outPath, Buffer.concat([header, ...parts]));
}

async function compared(ours: string, kept: string, reference: string): Promise<void> {
  const result = (await runPython(compare, [ours, kept, reference])) as Comparison;
  assert.deepEqual(result.attributes, [], 'attributes');
  assert.ok(result.pixels, 'pixels');
  assert.equal(result.photometric[0], result.photometric[1]);
  assert.equal(result.planar[0], result.planar[1]);
}

/** Files by the program whose codec is compared with. */
const decompressed: Readonly<Record<string, readonly string[]>> = {
  dcmdjpeg: [
    'JPEG-lossy.dcm',
    'JPGExtended.dcm',
    'SC_jpeg_no_color_transform.dcm',
    'SC_rgb_dcmtk_+eb+cr.dcm',
    'SC_rgb_dcmtk_+eb+cy+n1.dcm',
    'SC_rgb_dcmtk_+eb+cy+s4.dcm',
    'SC_rgb_jpeg_gdcm.dcm',
    'SC_rgb_small_odd_jpeg.dcm',
  ],
  dcmdrle: ['MR_small_RLE.dcm', 'SC_rgb_rle_2frame.dcm', 'SC_rgb_rle_16bit_2frame.dcm', 'rtdose_rle.dcm'],
  dcmdjpls: ['MR_small_jpeg_ls_lossless.dcm'],
  'gdcmconv --raw': [
    '693_J2KI.dcm',
    'GDCMJ2K_TextGBR.dcm',
    'JPEG2000.dcm',
    'MR_small_jp2klossless.dcm',
    'MR_small_bigendian.dcm',
    'rtdose_expb.dcm',
    'image_dfl.dcm',
  ],
};

for (const [command, names] of Object.entries(decompressed)) {
  for (const name of names) {
    test(`${name} to explicit little endian, as ${command} has it`, async () => {
      const [kept, ours, reference] = [
        join(pydicomFiles, name),
        join(folder, name),
        join(folder, `ref-${name}`),
      ];
      await transcoded(kept, explicitLittle, ours);
      const [tool = '', ...args] = command.split(' ');
      const { code, output } = await runTool(tool, [...args, kept, reference]);
      assert.equal(code, 0, output);
      await compared(ours, kept, reference);
    });
  }
}

for (const name of ['UN_sequence.dcm', 'reportsi.dcm', 'MR_small_expb.dcm', 'image_dfl.dcm']) {
  test(`${name} to implicit little endian and nothing lost`, async () => {
    const [kept, ours] = [join(pydicomFiles, name), join(folder, name)];
    await transcoded(kept, implicitLittle, ours);
    await compared(ours, kept, name === 'MR_small_expb.dcm' ? join(pydicomFiles, 'MR_small.dcm') : kept);
  });
}

const encoders = {
  '1.2.840.10008.1.2.4.90': ['gdcmconv', '--raw'],
  '1.2.840.10008.1.2.4.80': ['dcmdjpls'],
  '1.2.840.10008.1.2.5': ['dcmdrle'],
} as const;

for (const [to, [tool, ...args]] of Object.entries(encoders)) {
  for (const name of [
    'CT_small.dcm',
    'SC_rgb_small_odd.dcm',
    ...(tool === 'dcmdrle' ? ['rtdose.dcm'] : []),
  ]) {
    test(`${name} to ${to}, which ${tool} decompresses to the same pixels`, async () => {
      const kept = join(folder, `kept-${name}`);
      await runTool('dcmconv', ['+te', join(pydicomFiles, name), kept]);
      const [ours, back] = [join(folder, name), join(folder, `back-${name}`)];
      await transcoded(kept, to, ours);
      const { code, output } = await runTool(tool, [...args, ours, back]);
      assert.equal(code, 0, output);
      await compared(back, kept, kept);
    });
  }
}

test('what a codec refuses is refused with its reason, and the next data set is transcoded all the same', async () => {
  const broken = join(pydicomFiles, 'JPEG2000-embedded-sequence-delimiter.dcm');
  await assert.rejects(transcoded(broken, explicitLittle, join(folder, 'broken')), {
    code: 'TRANSCODING_FAILED',
    message: /the codec refuses a frame/,
  });
  await transcoded(join(pydicomFiles, 'MR_small_RLE.dcm'), explicitLittle, join(folder, 'next'));
});
