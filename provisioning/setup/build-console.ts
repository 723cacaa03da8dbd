/** Builds the console's pages into the folder named on the command line. Run by the set-up under the pinned Node. */
import { argv } from 'node:process';
import { buildConsole } from '../../firmware/console/build.ts';

const outDir = argv[2];
if (outDir === undefined) throw new Error('build-console.ts <folder>');
await buildConsole(outDir);
