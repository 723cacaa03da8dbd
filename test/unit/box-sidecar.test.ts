/** The side-car as a box composes it: what its configuration says of archive, days, pace and hours is what it keeps to. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openSidecar, type Sidecar } from '../../firmware/src/box/sidecar.ts';
import { Health } from '../../firmware/src/box/health.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import type { Service } from '../../firmware/src/ports.ts';
import { Backfill } from '../../firmware/src/sidecar/backfill.ts';
import { EncryptedStore } from '../../firmware/src/store/level-store.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { ReleaseWorld } from '../support/release-world.ts';

const archive = { name: 'archive', host: '192.0.2.7', port: 104, aeTitle: 'ARCHIVE' };
const days = { from: '20260101', to: '20260110' };

/** What was given to be started, besides the side-car itself. */
interface Opened {
  readonly sidecar: Sidecar | undefined;
  readonly world: ReleaseWorld;
  readonly services: Service[];
}

function open(sidecar: object | undefined): Opened {
  const world = new ReleaseWorld();
  const { catalogue, clock, ledger } = world;
  const logger = new RecordingLogger();
  const institution = { id: 'north', name: 'North' };
  const part = { dataDir: '/nowhere', institution, destinations: [archive] };
  const config = decodeConfig({ ...part, ...(sidecar !== undefined && { sidecar }) }, '/');
  const index = new EncryptedStore(new MemoryStore(), randomBytes(32));
  const health = new Health(clock, logger);
  const services: Service[] = [];
  const foundation = { config, catalogue, clock, logger, health, index, certificates: undefined };
  const start = (service: Service): Promise<void> => {
    services.push(service);
    return Promise.resolve();
  };
  return { sidecar: openSidecar(foundation, ledger, start), world, services };
}

test('without a side-car in the configuration there is none', () => {
  assert.equal(open(undefined).sidecar, undefined);
});

test('an archive that is no destination, days that run backwards, and an unknown time zone are named', () => {
  for (const [sidecar, message] of [
    [{ archive: 'pacs' }, /sidecar\.archive names no destination: "pacs"/],
    [
      { archive: 'archive', backfill: { ...days, timeZone: 'Middle/Earth' } },
      /sidecar\.backfill names no known time zone/,
    ],
    [
      { archive: 'archive', backfill: { from: '20260102', to: '20260101' } },
      /sidecar\.backfill ends before it begins/,
    ],
  ] as const)
    assert.throws(() => open(sidecar), { code: 'CONFIG_INVALID', message });
});

test('the backfill keeps to its days and hours, in the time zone of the hospital', async () => {
  const windows = [{ from: '22:00', to: '06:00' }];
  const { sidecar, world, services } = open({
    archive: 'archive',
    backfill: { ...days, windows, timeZone: 'Europe/Berlin' },
  });
  assert.equal(sidecar?.archive, 'ARCHIVE');
  await sidecar.start();
  const backfill = services.find((service) => service instanceof Backfill);
  assert(backfill !== undefined);
  // Noon of a summer's day; and 20:30 UTC, which is 22:30 in Berlin.
  world.clock.advance(Date.UTC(2026, 6, 1, 12) - world.clock.now());
  await backfill.start();
  const { state, day, from, days: daysInAll } = sidecar.progress() ?? {};
  assert.deepEqual([state, day, from, daysInAll], ['held back', '20260110', '20260101', 10]);
  world.clock.advance(Date.UTC(2026, 6, 1, 20, 30) - world.clock.now());
  assert.equal(sidecar.progress()?.state, 'running');
  await backfill.stop();
});

test('without a backfill there is no progress to tell, and announcements are taken all the same', async () => {
  const { sidecar, services } = open({ archive: 'archive' });
  await sidecar?.start();
  assert.equal(sidecar?.progress(), undefined);
  assert.equal(sidecar?.services.length, 1);
  assert(!services.some((service) => service instanceof Backfill));
});
