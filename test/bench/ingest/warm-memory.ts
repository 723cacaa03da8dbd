/**
 * Memory that this machine has at hand. A virtual machine may give back to its host what has lain free for two seconds
 * (the kernel's free page reporting); each page then costs a fault of the host when it is used again, three times what
 * the kernel's copy into it costs. On a machine of its own there is nothing of the kind, and who receives into memory
 * that a removed file has just left free escapes it: so all begin with memory that has just been used.
 */
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const blockBytes = 1024 * 1024;

/** Fills so much of the page cache and lets it go again; nothing of it reaches the disk. */
export async function warmMemory(folder: string, bytes: number): Promise<void> {
  const path = join(folder, 'warm');
  const block = Buffer.alloc(blockBytes);
  const file = await open(path, 'w');
  try {
    for (let written = 0; written < bytes; written += blockBytes) await file.write(block);
  } finally {
    await file.close();
    await rm(path);
  }
}
