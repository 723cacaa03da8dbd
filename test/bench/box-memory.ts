import { readdir, readFile } from 'node:fs/promises';

export interface BoxMemory {
  /** Resident now, and at the most since the start; bytes, the box and its TPM broker together. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

function kibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
}

/** Of the process and its children that are Node (the broker): swtpm stands for a chip and is not counted. */
export async function boxMemory(pid: number): Promise<BoxMemory> {
  const pids = [pid];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => ''); // it ended meanwhile
    if (parentOf(status) === pid && /^Name:\s+node/m.test(status)) pids.push(Number(name));
  }
  const statuses = await Promise.all(pids.map((one) => readFile(`/proc/${one}/status`, 'utf8')));
  const sum = (field: string) =>
    1024 * statuses.reduce((total, status) => total + kibibytes(status, field), 0);
  return { residentBytes: sum('VmRSS'), peakBytes: sum('VmHWM') };
}

function parentOf(status: string): number {
  return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}
