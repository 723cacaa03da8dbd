/** Made-up CT images of any size in Explicit VR Little Endian, the same bytes for the same seed. */
import { createHash } from 'node:crypto';
import { encodeDataSet, part10Header, uids } from '../../firmware/dimse/index.ts';
import { concatBytes, u16, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { randomFrom } from '../sim/random.ts';

export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';

export interface SampleObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: Uint8Array;
}

export interface SamplePlan {
  readonly studyInstanceUid: string;
  /** Of the instance within the study. */
  readonly number: number;
  /** Even. */
  readonly pixelBytes: number;
  readonly seed: number;
}

export function sampleObject({ studyInstanceUid, number, pixelBytes, seed }: SamplePlan): SampleObject {
  const sopInstanceUid = `${studyInstanceUid}.1.${number}`;
  const header = encodeDataSet(
    {
      '00080016': { vr: 'UI', values: [ctImageStorage] },
      '00080018': { vr: 'UI', values: [sopInstanceUid] },
      '00080020': { vr: 'DA', values: ['20260105'] },
      '00080060': { vr: 'CS', values: ['CT'] },
      '00100010': { vr: 'PN', values: ['Sample^Object'] },
      '00100020': { vr: 'LO', values: ['SAMPLE-1'] },
      '00100030': { vr: 'DA', values: ['19700101'] },
      '00100040': { vr: 'CS', values: ['O'] },
      '0020000D': { vr: 'UI', values: [studyInstanceUid] },
      '0020000E': { vr: 'UI', values: [`${studyInstanceUid}.1`] },
      '00200013': { vr: 'IS', values: [String(number)] },
    },
    uids.explicitVrLittleEndian,
  );
  const pixelData = concatBytes(
    u16(0x7fe0).reverse(),
    u16(0x0010).reverse(),
    utf8('OW'),
    u16(0),
    u32(pixelBytes).reverse(),
    noise(pixelBytes, seed),
  );
  return {
    sopClassUid: ctImageStorage,
    sopInstanceUid,
    transferSyntaxUid: uids.explicitVrLittleEndian,
    dataSet: concatBytes(header, pixelData),
  };
}

/** As a DICOM file (PS3.10), for senders that read files. */
export function sampleFile(object: SampleObject): Uint8Array {
  return concatBytes(part10Header(object), object.dataSet);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Nothing that could be mistaken for zeros of a file that was never written. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  const random = randomFrom(seed);
  let state = random.below(2 ** 32) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer).subarray(0, length);
}
