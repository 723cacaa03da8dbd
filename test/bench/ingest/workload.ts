/** What the modality of the bench sends: invented objects of fixed sizes, and new UIDs for them before each run. */
import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

export interface WorkloadShape {
  /** What a table calls it. */
  readonly what: string;
  readonly sopClassUid: string;
  readonly objects: number;
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
}

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
const enhancedCtImageStorage = '1.2.840.10008.5.1.4.1.1.2.1';
const explicitLittleEndian = '1.2.840.10008.1.2.1';
const implementationClassUid = '2.25.302043790172249692526321623266752743501';

const square = 512;
const bytesOfFrame = 2 * square * square;

/** 512 × 512 of 16 bit: half a megabyte a slice. */
export const ctSlices = (objects: number): WorkloadShape => ({
  what: `${objects} CT slices of 0.5 MB`,
  sopClassUid: ctImageStorage,
  objects,
  rows: square,
  columns: square,
  frames: 1,
});

export const smallObjects = (objects: number): WorkloadShape => ({
  what: `${objects} objects of 20 KB`,
  sopClassUid: ctImageStorage,
  objects,
  rows: 96,
  columns: 104,
  frames: 1,
});

/** One enhanced multi-frame object whose pixels have about so many bytes. */
export const multiFrame = (bytes: number): WorkloadShape => ({
  what: `one multi-frame of ${(bytes / 1e6).toFixed(0)} MB`,
  sopClassUid: enhancedCtImageStorage,
  objects: 1,
  rows: square,
  columns: square,
  frames: Math.floor(bytes / bytesOfFrame),
});

const longVrs = new Set(['OB', 'OW']);

/** The head of one element in Explicit VR Little Endian (PS3.5 7.1.2). */
function head(group: number, number: number, vr: string, length: number): Buffer {
  const bytes = Buffer.alloc(longVrs.has(vr) ? 12 : 8);
  bytes.writeUInt16LE(group, 0);
  bytes.writeUInt16LE(number, 2);
  bytes.write(vr, 4, 'latin1');
  if (longVrs.has(vr)) bytes.writeUInt32LE(length, 8);
  else bytes.writeUInt16LE(length, 6);
  return bytes;
}

function element(group: number, number: number, vr: string, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const pad = bytes.length % 2 === 1 ? Buffer.from(vr === 'UI' ? '\0' : ' ') : Buffer.alloc(0);
  return Buffer.concat([head(group, number, vr, bytes.length + pad.length), bytes, pad]);
}

function unsignedShort(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** Always of 44 characters, so that one can be written over another. */
function uidOfFixedLength(): string {
  const digits = Array.from({ length: 38 }, () => randomInt(10)).join('');
  return `2.25.1${digits}`;
}

interface Uids {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

/** Preamble, group 0002 (PS3.10 7.1) and the data set up to the first byte of the pixels. */
function beginning(shape: WorkloadShape, uids: Uids, number: number): Buffer {
  const group2 = Buffer.concat([
    element(0x0002, 0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 0x0002, 'UI', shape.sopClassUid),
    element(0x0002, 0x0003, 'UI', uids.instance),
    element(0x0002, 0x0010, 'UI', explicitLittleEndian),
    element(0x0002, 0x0012, 'UI', implementationClassUid),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(group2.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x0002, 0x0000, 'UL', length),
    group2,
    element(0x0008, 0x0005, 'CS', 'ISO_IR 100'),
    element(0x0008, 0x0008, 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'),
    element(0x0008, 0x0016, 'UI', shape.sopClassUid),
    element(0x0008, 0x0018, 'UI', uids.instance),
    element(0x0008, 0x0020, 'DA', '20260301'),
    element(0x0008, 0x0030, 'TM', '101500'),
    element(0x0008, 0x0050, 'SH', 'BENCH-1'),
    element(0x0008, 0x0060, 'CS', 'CT'),
    element(0x0008, 0x0070, 'LO', 'Hilum benchmark'),
    element(0x0008, 0x0090, 'PN', ''),
    element(0x0008, 0x1030, 'LO', 'Synthesised'),
    element(0x0010, 0x0010, 'PN', 'Bench^Mark'),
    element(0x0010, 0x0020, 'LO', 'BENCH-7'),
    element(0x0010, 0x0030, 'DA', '19700101'),
    element(0x0010, 0x0040, 'CS', 'O'),
    element(0x0020, 0x000d, 'UI', uids.study),
    element(0x0020, 0x000e, 'UI', uids.series),
    element(0x0020, 0x0010, 'SH', '1'),
    element(0x0020, 0x0011, 'IS', '1'),
    element(0x0020, 0x0013, 'IS', String(number)),
    element(0x0028, 0x0002, 'US', unsignedShort(1)),
    element(0x0028, 0x0004, 'CS', 'MONOCHROME2'),
    ...(shape.frames === 1 ? [] : [element(0x0028, 0x0008, 'IS', String(shape.frames))]),
    element(0x0028, 0x0010, 'US', unsignedShort(shape.rows)),
    element(0x0028, 0x0011, 'US', unsignedShort(shape.columns)),
    element(0x0028, 0x0100, 'US', unsignedShort(16)),
    element(0x0028, 0x0101, 'US', unsignedShort(16)),
    element(0x0028, 0x0102, 'US', unsignedShort(15)),
    element(0x0028, 0x0103, 'US', unsignedShort(0)),
    head(0x7fe0, 0x0010, 'OW', 2 * shape.rows * shape.columns * shape.frames),
  ]);
}

export class Workload {
  readonly shape: WorkloadShape;
  readonly files: readonly string[];
  #bytes = 0;

  private constructor(shape: WorkloadShape, files: readonly string[]) {
    this.shape = shape;
    this.files = files;
  }

  /** Writes the files, of random pixels, so that nothing compresses away. */
  static async make(folder: string, shape: WorkloadShape): Promise<Workload> {
    await mkdir(folder, { recursive: true });
    const files = Array.from({ length: shape.objects }, (_, index) => join(folder, `${index}.dcm`));
    const workload = new Workload(shape, files);
    const frame = randomBytes(2 * shape.rows * shape.columns);
    await workload.#write(async (file, bytes) => {
      await file.write(bytes, 0, bytes.length, 0);
      for (let index = 0; index < shape.frames; index++) {
        await file.write(frame, 0, frame.length, bytes.length + index * frame.length);
      }
    }, 'w');
    return workload;
  }

  /** Of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The same objects under new UIDs, as one new study: no receiver has seen them. */
  async renew(): Promise<void> {
    await this.#write(async (file, bytes) => {
      await file.write(bytes, 0, bytes.length, 0);
    }, 'r+');
  }

  async #write(fill: (file: FileHandle, bytes: Buffer) => Promise<void>, flags: 'w' | 'r+'): Promise<void> {
    const [study, series] = [uidOfFixedLength(), uidOfFixedLength()];
    this.#bytes = 0;
    for (const [index, path] of this.files.entries()) {
      const bytes = beginning(this.shape, { study, series, instance: uidOfFixedLength() }, index + 1);
      const file = await open(path, flags);
      try {
        await fill(file, bytes);
        this.#bytes += (await file.stat()).size;
      } finally {
        await file.close();
      }
    }
  }
}
