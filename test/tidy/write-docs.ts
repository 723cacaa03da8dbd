/** Writes the pages under docs/ that repeat tables of the code. Run it after changing one; a test compares. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pages } from './pages/pages.ts';
import { root } from './source-tree.ts';

for (const [path, write] of Object.entries(pages)) {
  await writeFile(join(root, path), await write());
  console.log(`wrote ${path}`);
}
