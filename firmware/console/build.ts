/** Bundles the console's page: what firmware/src/http/pages.ts serves. Nothing inline, so that the CSP stays strict. */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const page = join(import.meta.dirname, 'page');

/** Writes index.html, console.js, console.css and icon.svg into the folder, and nothing else is left in it. */
export async function buildConsole(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });
  await build({
    entryPoints: [
      { in: join(page, 'main.tsx'), out: 'console' },
      { in: join(page, 'style', 'style.css'), out: 'console' },
    ],
    outdir: outDir,
    bundle: true,
    minify: true,
    format: 'esm',
    // Browsers of hospital workplaces and phones of the last four years.
    target: ['chrome109', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  });
  for (const name of ['index.html', 'icon.svg']) await copyFile(join(page, name), join(outDir, name));
}
