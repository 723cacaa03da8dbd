import { readFile } from 'node:fs/promises';
import { AppError } from '../../src/errors.ts';
import { eventLogBytesMax } from '../wire/limits.ts';

/** What a person can change, by the system's code (errno). The kernel shows the log to root alone (mode 0440). */
function whyUnreadable(file: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EACCES' || code === 'EPERM')
    return `the user that runs Hilum has no right to read the event log ${file}`;
  if (code === 'ENOENT')
    return `there is no event log ${file}: nothing was measured at this boot, or the TPM is another one`;
  return `the event log ${file} cannot be read (${String(code)})`;
}

/**
 * What was measured at this boot (TCG PC Client Platform Firmware Profile, 10: crypto-agile format), as members ask for it.
 * @throws AppError EVENT_LOG_UNUSABLE naming the file and what keeps it from the members.
 */
export async function readEventLogFile(file: string): Promise<Uint8Array> {
  let log: Uint8Array;
  try {
    log = await readFile(file);
  } catch (cause) {
    throw new AppError('EVENT_LOG_UNUSABLE', whyUnreadable(file, cause), { cause });
  }
  if (log.length > eventLogBytesMax)
    throw new AppError(
      'EVENT_LOG_UNUSABLE',
      `the event log ${file} is longer than ${eventLogBytesMax} bytes, and no member reads it`,
    );
  return new Uint8Array(log);
}
