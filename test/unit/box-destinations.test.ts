/** Destinations of the configuration as forwarding sees them: every key arrives, and what cannot be meant is named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinationsOf } from '../../firmware/src/box/destinations.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import type { Destination } from '../../firmware/src/forwarding/destination.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** All but the ways to speak to them, which are functions. */
function destinationsIn(
  part: Readonly<Record<string, unknown>>,
): readonly Omit<Destination, 'scu' | 'workflow'>[] {
  const institution = { id: 'north', name: 'North' };
  const config = decodeConfig({ dataDir: '/nowhere', institution, ...part }, '/');
  const destinations = destinationsOf({ config, clock: new ManualClock(), certificates: undefined });
  return destinations.map(({ scu: _scu, workflow: _workflow, ...keys }) => keys);
}

const at = { host: '192.0.2.7', port: 104 };
/** As a destination is reached that says no more than where. */
const reached = { ...at, tls: false, tlsNameChecked: true };

test('what a destination is configured to is what forwarding holds to', () => {
  const configured = {
    ...{ name: 'archive', aeTitle: 'ARCHIVE', inline: true, fetched: true, notify: true, commitment: true },
    ...{ paused: true, bytesPerSecondMax: 1_000_000, timeZone: 'Europe/Berlin' },
    windows: [{ from: '22:00', to: '06:00' }],
  };
  assert.deepEqual(destinationsIn({ destinations: [{ ...configured, ...at, sendsAs: ['ROUTER'] }] }), [
    { ...configured, ...reached, sendsAs: ['ARCHIVE', 'ROUTER'] },
  ]);
});

test('without more than its address a destination gets nothing by itself; "pacs" gets everything', () => {
  const [plain] = destinationsIn({ destinations: [{ name: 'viewer', aeTitle: 'VIEWER', ...at }] });
  assert.deepEqual(
    [plain?.inline, plain?.fetched, plain?.notify, plain?.commitment],
    [false, false, false, false],
  );
  assert.deepEqual([plain?.paused, plain?.bytesPerSecondMax, plain?.windows], [false, undefined, []]);
  const [pacs] = destinationsIn({ pacs: { aeTitle: 'PACS', ...at } });
  assert.deepEqual([pacs?.name, pacs?.inline, pacs?.fetched, pacs?.sendsAs], ['pacs', true, true, ['PACS']]);
});

test('a name twice, a time zone that is none, and TLS without certificates are named', () => {
  const archive = { name: 'archive', aeTitle: 'ARCHIVE', ...at };
  for (const [destinations, message] of [
    [[archive, { ...archive, aeTitle: 'OTHER' }], /"archive" is there more than once/],
    [[{ ...archive, timeZone: 'Middle/Earth' }], /"archive" names no known time zone/],
    [[{ ...archive, tls: true }], /"archive" is reached over TLS/],
  ] as const)
    assert.throws(() => destinationsIn({ destinations }), { code: 'CONFIG_INVALID', message });
});
