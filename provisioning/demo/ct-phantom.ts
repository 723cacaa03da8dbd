/** A synthesised CT: 200 slices of 512 × 512, 16 bit, of an invented body with noise, so that nothing compresses away. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUid } from './uids.ts';
import type { DemoPatient } from './patient.ts';

export const sliceCount = 200;
const sizePixels = 512;

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
const explicitLittleEndian = '1.2.840.10008.1.2.1';
const implementationClassUid = '2.25.302043790172249692526321623266752743501';
const longVrs = new Set(['OB', 'OW', 'SQ', 'UN']);

/** One element in Explicit VR Little Endian (PS3.5, 7.1.2), padded to even length. */
function element(group: number, number: number, vr: string, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const pad = bytes.length % 2 === 1 ? Buffer.from(vr === 'UI' ? '\0' : ' ') : Buffer.alloc(0);
  const length = bytes.length + pad.length;
  const head = Buffer.alloc(longVrs.has(vr) ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (longVrs.has(vr)) head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return Buffer.concat([head, bytes, pad]);
}

function unsignedShort(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** Part 10 preamble and group 0002 (PS3.10, 7.1). */
function fileMeta(sopInstanceUid: string): Buffer {
  const group = Buffer.concat([
    element(0x0002, 0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 0x0002, 'UI', ctImageStorage),
    element(0x0002, 0x0003, 'UI', sopInstanceUid),
    element(0x0002, 0x0010, 'UI', explicitLittleEndian),
    element(0x0002, 0x0012, 'UI', implementationClassUid),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(group.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x0002, 0x0000, 'UL', length),
    group,
  ]);
}

/** Hounsfield units + 1024: an ellipse of soft tissue with two lungs and a spine, changing from slice to slice. */
function pixels(slice: number, noise: () => number): Buffer {
  const image = Buffer.alloc(sizePixels * sizePixels * 2);
  const breath = 0.8 + 0.2 * Math.sin((slice / sliceCount) * Math.PI);
  for (let row = 0; row < sizePixels; row++) {
    const y = (row - 256) / 256;
    for (let column = 0; column < sizePixels; column++) {
      const x = (column - 256) / 256;
      let units = 24;
      if (x * x + (y * y) / 0.55 < 0.72) units = 1064;
      const lung = (Math.abs(x) - 0.36) ** 2 / 0.06 + (y * y) / (0.2 * breath);
      if (lung < 1) units = 224;
      if (x * x + (y - 0.42) ** 2 < 0.012) units = 1724;
      image.writeUInt16LE(units + (noise() & 0x1f), (row * sizePixels + column) * 2);
    }
  }
  return image;
}

/** xorshift32: fast, and the same bytes for the same seed. */
function noiseFrom(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export interface SampleStudy {
  readonly studyInstanceUid: string;
  readonly folder: string;
  readonly objects: number;
  readonly bytes: number;
  readonly what: string;
}

/** Writes the slices into the folder, one file each. */
export async function writeCtPhantom(
  folder: string,
  patient: DemoPatient,
  slices = sliceCount,
): Promise<SampleStudy> {
  await mkdir(folder, { recursive: true });
  const [studyInstanceUid, seriesInstanceUid, frameOfReferenceUid] = [randomUid(), randomUid(), randomUid()];
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  let bytes = 0;
  for (let slice = 0; slice < slices; slice++) {
    const sopInstanceUid = randomUid();
    const file = Buffer.concat([
      fileMeta(sopInstanceUid),
      element(0x0008, 0x0005, 'CS', 'ISO_IR 100'),
      element(0x0008, 0x0008, 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'),
      element(0x0008, 0x0016, 'UI', ctImageStorage),
      element(0x0008, 0x0018, 'UI', sopInstanceUid),
      element(0x0008, 0x0020, 'DA', today),
      element(0x0008, 0x0030, 'TM', '101500'),
      element(0x0008, 0x0050, 'SH', 'HM-ACC-7731'),
      element(0x0008, 0x0060, 'CS', 'CT'),
      element(0x0008, 0x0070, 'LO', 'Hilum demonstration'),
      element(0x0008, 0x0090, 'PN', ''),
      element(0x0008, 0x1030, 'LO', 'CT chest, synthesised'),
      element(0x0010, 0x0010, 'PN', patient.name),
      element(0x0010, 0x0020, 'LO', patient.patientId),
      element(0x0010, 0x0030, 'DA', patient.birthDate),
      element(0x0010, 0x0040, 'CS', patient.sex),
      element(0x0018, 0x0050, 'DS', '1.25'),
      element(0x0020, 0x000d, 'UI', studyInstanceUid),
      element(0x0020, 0x000e, 'UI', seriesInstanceUid),
      element(0x0020, 0x0010, 'SH', '1'),
      element(0x0020, 0x0011, 'IS', '1'),
      element(0x0020, 0x0013, 'IS', String(slice + 1)),
      element(0x0020, 0x0032, 'DS', `-180\\-180\\${(slice * 1.25).toFixed(2)}`),
      element(0x0020, 0x0037, 'DS', '1\\0\\0\\0\\1\\0'),
      element(0x0020, 0x0052, 'UI', frameOfReferenceUid),
      element(0x0028, 0x0002, 'US', unsignedShort(1)),
      element(0x0028, 0x0004, 'CS', 'MONOCHROME2'),
      element(0x0028, 0x0010, 'US', unsignedShort(sizePixels)),
      element(0x0028, 0x0011, 'US', unsignedShort(sizePixels)),
      element(0x0028, 0x0030, 'DS', '0.7\\0.7'),
      element(0x0028, 0x0100, 'US', unsignedShort(16)),
      element(0x0028, 0x0101, 'US', unsignedShort(16)),
      element(0x0028, 0x0102, 'US', unsignedShort(15)),
      element(0x0028, 0x0103, 'US', unsignedShort(0)),
      element(0x0028, 0x1052, 'DS', '-1024'),
      element(0x0028, 0x1053, 'DS', '1'),
      element(0x7fe0, 0x0010, 'OW', pixels(slice, noiseFrom(slice + 1))),
    ]);
    bytes += file.length;
    await writeFile(join(folder, `${String(slice + 1).padStart(4, '0')}.dcm`), file);
  }
  return { studyInstanceUid, folder, objects: slices, bytes, what: 'synthesised CT' };
}
