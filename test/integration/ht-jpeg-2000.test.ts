/**
 * High-Throughput JPEG 2000 (PS3.5, 8.2.13): kept and sent on as it came, and decompressed for who takes no such object.
 * No program of Debian 12 writes it: the codec that the box decompresses with has compressed, and gdcm's (OpenJPEG) says
 * that the result is what the standard says.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import dcmjsCodecs from 'dcmjs-codecs';
import { ThreadTranscoder } from '../../firmware/dimse/transcoding/thread-transcoder.ts';
import { destinationsOf } from '../../firmware/src/box/destinations.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import { realClock } from '../fakes/real-clock.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  filesBelow,
  pydicomFiles,
  readDicomFile,
  runPython,
  runTool,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { ForwardingScene } from '../support/forwarding-scene.ts';

const { Context, NativeCodecs } = dcmjsCodecs;

const explicitLittle = '1.2.840.10008.1.2.1';

let folder = '';
before(async () => {
  folder = await temporaryFolder();
  await NativeCodecs.initializeAsync();
});
after(() => rm(folder, { recursive: true, force: true }));

interface Plain {
  readonly width: number;
  readonly height: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly samplesPerPixel: number;
  readonly pixelRepresentation: number;
  readonly planarConfiguration: number;
  readonly photometricInterpretation: string;
}

/** Writes the pixels beside the image, and prints what a codec must know of them. */
const readImage = `
import json, sys, pydicom
d = pydicom.dcmread(sys.argv[1])
open(sys.argv[2], 'wb').write(d.PixelData[:d.Rows * d.Columns * d.SamplesPerPixel * d.BitsAllocated // 8])
print(json.dumps(dict(width=d.Columns, height=d.Rows, bitsAllocated=d.BitsAllocated, bitsStored=d.BitsStored,
  samplesPerPixel=d.SamplesPerPixel, pixelRepresentation=d.PixelRepresentation,
  planarConfiguration=int(d.get('PlanarConfiguration', 0)), photometricInterpretation=str(d.PhotometricInterpretation))))
`;

/** The image with this code stream instead of its pixels, as JPEG 2000 Lossless: pydicom 2.3 knows no high throughput. */
const writeImage = `
import sys, pydicom
from pydicom.encaps import encapsulate
source, stream, path, photometric = sys.argv[1:]
d = pydicom.dcmread(source)
d.PixelData = encapsulate([open(stream, 'rb').read()])
d['PixelData'].is_undefined_length = True
d.PhotometricInterpretation = photometric
d.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.4.90'
d.is_little_endian, d.is_implicit_VR = True, False
d.save_as(path)
print('null')
`;

const comparePixels = `
import json, sys, pydicom
a, b = map(pydicom.dcmread, sys.argv[1:])
print(json.dumps(dict(same=a.PixelData == b.PixelData, syntax=str(a.file_meta.TransferSyntaxUID),
  photometric=str(a.PhotometricInterpretation), lossy=str(a.get('LossyImageCompression', '')))))
`;

/** Compresses without loss. Resolves with the object's file, whose group 0002 calls it JPEG 2000 Lossless. */
async function compressed(name: string, progressionOrder: number): Promise<string> {
  const source = join(pydicomFiles, name);
  const [raw, stream, path] = ['raw', 'j2c', 'dcm'].map((end) => join(folder, `${name}.${end}`)) as [
    string,
    string,
    string,
  ];
  const image = (await runPython(readImage, [source, raw])) as Plain;
  const context = new Context({ ...image, decodedBuffer: new Uint8Array(await readFile(raw)) });
  const encoded = NativeCodecs.encodeHtJpeg2000(context, {
    lossy: false,
    progressionOrder,
  }).getEncodedBuffer();
  assert.ok(encoded !== undefined);
  await writeFile(stream, encoded);
  const photometric = image.samplesPerPixel === 1 ? image.photometricInterpretation : 'YBR_RCT';
  await runPython(writeImage, [source, stream, path, photometric]);
  return path;
}

/** To who takes anything, and to who takes only what is not compressed. */
async function forwarding(t: TestContext, anyPort: number, plainPort: number): Promise<ForwardingScene> {
  const raw = {
    institution: { id: 'north', name: 'North' },
    dataDir: 'data',
    destinations: [
      { name: 'any', host: '127.0.0.1', port: anyPort, aeTitle: 'HILUM', inline: true },
      { name: 'plain', host: '127.0.0.1', port: plainPort, aeTitle: 'ANY-SCP', inline: true },
    ],
  };
  const scene = new ForwardingScene(realClock);
  const transcoder = new ThreadTranscoder(realClock);
  scene.transcoder = transcoder;
  const sources = { config: decodeConfig(raw, '.'), clock: realClock, certificates: undefined };
  await scene.start(...destinationsOf(sources));
  t.after(async () => {
    await scene.forwarding.stop();
    await transcoder.stop();
  });
  return scene;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const images = [
  ['CT_small.dcm', '1.2.840.10008.1.2.4.201', 0],
  ['MR_small.dcm', '1.2.840.10008.1.2.4.202', 2],
  ['SC_rgb_small_odd.dcm', '1.2.840.10008.1.2.4.201', 0],
] as const;

for (const [name, transferSyntaxUid, progressionOrder] of images) {
  test(`${name} as ${transferSyntaxUid}: kept as it is, and decompressed to the same pixels`, async (t) => {
    const path = await compressed(name, progressionOrder);
    const original = join(pydicomFiles, name);
    const judged = join(folder, `${name}-judged.dcm`);
    const { code, output } = await runTool('gdcmconv', ['--raw', path, judged]);
    assert.equal(code, 0, output);
    const judgement = (await runPython(comparePixels, [judged, original])) as { readonly same: boolean };
    assert.ok(judgement.same, 'the code stream is High-Throughput JPEG 2000');

    const object = await readDicomFile(path);
    assert.ok(object.kind === 'object');
    const store = new MemoryStore();
    const any = makeScp(store.store);
    await any.start();
    t.after(() => any.stop());
    const plain = await startStorescp(['+xe']);
    t.after(() => plain.stop());
    const scene = await forwarding(t, any.port, plain.port);
    await scene.realStudy([{ ...object, transferSyntaxUid }]);
    while (scene.forwarding.destinations().some(({ waiting }) => waiting.objects > 0))
      await realClock.sleep(20);
    assert.deepEqual(scene.forwarding.setAside(), []);
    assert.deepEqual(
      store.kept.map(({ request, bytes }) => [request.transferSyntaxUid, sha256(bytes)]),
      [[transferSyntaxUid, sha256(object.dataSet)]],
    );
    const [arrived, ...more] = await filesBelow(plain.folder);
    assert.ok(arrived !== undefined && more.length === 0);
    assert.deepEqual(await runPython(comparePixels, [arrived, original]), {
      same: true,
      syntax: explicitLittle,
      photometric: name.startsWith('SC_rgb') ? 'RGB' : 'MONOCHROME2',
      lossy: '',
    });
  });
}
