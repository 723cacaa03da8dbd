/** Real objects that Debian's python3-pydicom carries, put under the demonstration's patient with dcmtk's dcmodify. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SampleStudy } from './ct-phantom.ts';
import type { DemoPatient } from './patient.ts';
import { randomUid } from './uids.ts';

const run = promisify(execFile);
const sourceFolder = '/usr/lib/python3/dist-packages/pydicom/data/test_files';

/**
 * Uncompressed, JPEG, JPEG 2000, RLE, structured report, waveform: what a box must pass on untouched. (Big endian is left
 * out, because dcmsend rewrites uncompressed objects into the syntax that it prefers; test/integration covers it.)
 */
const samples = [
  'CT_small.dcm',
  'MR_small.dcm',
  'MR_small_RLE.dcm',
  'MR_small_jp2klossless.dcm',
  'JPEG2000.dcm',
  'JPEG-lossy.dcm',
  'SC_rgb_jpeg_gdcm.dcm',
  'test-SR.dcm',
  'waveform_ecg.dcm',
];

/** One study of them all: new study and instance UIDs, pixel data as they were. */
export async function writePydicomStudy(folder: string, patient: DemoPatient): Promise<SampleStudy> {
  await mkdir(folder, { recursive: true });
  const studyInstanceUid = randomUid();
  for (const name of samples) {
    const path = join(folder, name);
    await copyFile(join(sourceFolder, name), path);
    const set = (tag: string, value: string) => ['-i', `${tag}=${value}`];
    await run('dcmodify', [
      '--no-backup',
      ...set('(0010,0010)', patient.name),
      ...set('(0010,0020)', patient.patientId),
      ...set('(0010,0030)', patient.birthDate),
      ...set('(0010,0040)', patient.sex),
      ...set('(0020,000d)', studyInstanceUid),
      ...set('(0020,000e)', randomUid()),
      ...set('(0008,0018)', randomUid()),
      path,
    ]);
  }
  const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
  return {
    studyInstanceUid,
    folder,
    objects: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    what: 'real objects of python3-pydicom',
  };
}
