/** Serves the networks of its arguments as a box does, in whatever network it runs, and tells what became of the routes. */
import { execFileSync } from 'node:child_process';
import { QuickAck } from '../../firmware/src/box/quick-ack.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { MemoryHealthBoard } from './health.ts';
import { realClock } from './real-clock.ts';

const routes = (): string[] =>
  ['-4', '-6'].flatMap((family) =>
    execFileSync('ip', [family, '-oneline', 'route', 'show', 'table', 'main'], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' ').trim())
      .filter((line) => line !== '' && !line.startsWith('fe80')),
  );

const health = new MemoryHealthBoard();
const quickAck = new QuickAck({
  networks: process.argv.slice(2),
  clock: realClock,
  logger: new RecordingLogger(),
  health,
  index: new MemoryStore(),
});
const before = routes();
await quickAck.start();
const during = routes();
await quickAck.stop();
const seen = {
  before,
  during,
  after: routes(),
  health: health.list().map(({ code, subject, detail }) => `${code} ${subject}: ${detail}`),
};
process.stdout.write(`${JSON.stringify(seen)}\n`);
