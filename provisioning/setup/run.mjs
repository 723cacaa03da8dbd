/**
 * The entry of `npm start`, `npm test`, `npm run bench`, `npm run sim`, `npm run model`, `npm run wallet`,
 * `npm run lint` and `npm run format`. Plain JavaScript without dependencies, because it runs on whatever Node started npm, before
 * anything is installed. This first file keeps to syntax that any Node with ES modules parses, so that an old one gets
 * a sentence, not a stack.
 */
import process from 'process';

const NODE_MAJOR_MIN = 18;
const major = Number(process.versions.node.split('.')[0]);

if (major < NODE_MAJOR_MIN) {
  console.error(
    'Hilum: this is Node ' +
      process.versions.node +
      '; Node ' +
      NODE_MAJOR_MIN +
      ' or newer is needed to set up.',
  );
  console.error(
    'Install a newer Node.js with npm (Debian 12 and later have one: apt-get install nodejs npm).',
  );
  process.exitCode = 1;
} else {
  import('./main.mjs').then(({ main }) => main(process.argv.slice(2)));
}
