import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SampleStudy } from './ct-phantom.ts';
import type { Orthanc } from './orthanc.ts';

const script = fileURLToPath(new URL('compare.py', import.meta.url));
/** Debian's own Python, for which Debian's python3-pydicom is installed. */
const python = '/usr/bin/python3';

const fetchesAtATime = 8;

export interface Comparison {
  readonly objects: number;
  readonly pixelBytes: number;
  readonly reconciled: readonly string[];
  readonly patientIds: readonly string[];
  readonly differences: readonly string[];
}

/** Fetches a study from the PACS and has pydicom compare it with what was sent. */
export async function compareWithPacs(
  study: SampleStudy,
  pacs: Orthanc,
  scratchFolder: string,
): Promise<Comparison> {
  await rm(scratchFolder, { recursive: true, force: true });
  await mkdir(scratchFolder, { recursive: true });
  const instances = [...(await pacs.instancesOf(study.studyInstanceUid))];
  // Several at a time: each answer of Orthanc's waits for an acknowledgement.
  const fetchers = Array.from({ length: fetchesAtATime }, async () => {
    for (let instance = instances.pop(); instance !== undefined; instance = instances.pop()) {
      await writeFile(join(scratchFolder, `${instance}.dcm`), await pacs.file(instance));
    }
  });
  await Promise.all(fetchers);
  try {
    return await runScript(study.folder, scratchFolder);
  } finally {
    await rm(scratchFolder, { recursive: true, force: true });
  }
}

/** Status 1 says that there are differences, which the answer names. */
function runScript(sent: string, received: string): Promise<Comparison> {
  const { promise, resolve, reject } = Promise.withResolvers<Comparison>();
  execFile(python, [script, sent, received], { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
    if (error !== null && stdout === '')
      reject(new Error(`the comparison failed: ${stderr.trim()}`, { cause: error }));
    else resolve(JSON.parse(stdout) as Comparison);
  });
  return promise;
}
