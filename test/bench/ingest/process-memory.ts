/** Resident memory of one process, and its peak since it was last reset (proc(5)). */
import { readFile, writeFile } from 'node:fs/promises';

export interface ProcessMemory {
  readonly residentBytes: number;
  readonly peakBytes: number;
}

export async function memoryOf(pid: number): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string): number => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    if (found === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
    return 1024 * Number(found);
  };
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** The peak starts anew from what is resident now: what a start took does not count as reception. */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}
