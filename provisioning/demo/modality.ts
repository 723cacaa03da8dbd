/** The modality: dcmtk's dcmsend, which offers each object in the transfer syntax that it has. */
import { execFile } from 'node:child_process';
import type { SampleStudy } from './ct-phantom.ts';
import { boxAeTitle } from './hospitals.ts';

export interface Sent {
  readonly seconds: number;
  /** When the last C-STORE response had come, UTC milliseconds. */
  readonly endedAt: number;
}

const successes = /with status SUCCESS\s*:\s*(?<count>\d+)/;

/**
 * Sends every file of the study; each must be answered with success. dcmtk leaves Nagle's algorithm on, as most
 * modalities do, which costs some 45 ms an object whatever the receiver does; `noDelay` switches it off.
 * @throws Error with the count of objects that were answered with success.
 */
export async function sendStudy(
  study: SampleStudy,
  dicomPort: number,
  callingAeTitle: string,
  noDelay: boolean,
): Promise<Sent> {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const begunAt = Date.now();
  const target = ['-aet', callingAeTitle, '-aec', boxAeTitle, '127.0.0.1', String(dicomPort)];
  execFile(
    'dcmsend',
    ['--verbose', '--decompress-never', '--scan-directories', ...target, study.folder],
    { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...(noDelay ? { TCP_NODELAY: '1' } : {}) } },
    (error, stdout, stderr) => {
      const endedAt = Date.now();
      const answered = Number(successes.exec(`${stdout}${stderr}`)?.groups?.['count'] ?? 0);
      if (error === null && answered === study.objects)
        resolve({ seconds: (endedAt - begunAt) / 1000, endedAt });
      else
        reject(
          new Error(`dcmsend: ${answered} of ${study.objects} objects were answered with success`, {
            cause: error,
          }),
        );
    },
  );
  return promise;
}
