/** The health list: since when, told once, gone when it is well again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from '../../firmware/src/box/health.ts';
import { errorTable } from '../../firmware/src/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

function make() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const health = new Health(clock, logger);
  let told = 0;
  const unsubscribe = health.onChange(() => told++);
  return { clock, logger, health, told: () => told, unsubscribe };
}

test('an item says what, since when and what to do; raising it again changes neither time nor listeners', () => {
  const { clock, health, told, logger } = make();
  const since = clock.now();
  health.raise('DELIVERY_FAILED', 'PACS', 'not reachable');
  clock.advance(60_000);
  health.raise('DELIVERY_FAILED', 'PACS', 'not reachable');
  assert.deepEqual(health.list(), [
    {
      code: 'DELIVERY_FAILED',
      subject: 'PACS',
      detail: 'not reachable',
      since,
      remedy: errorTable.DELIVERY_FAILED.remedy,
    },
  ]);
  assert.equal(told(), 1);
  assert.equal(logger.lines.length, 1);
});

test('new words about the same thing are told, and do not make it newer', () => {
  const { clock, health, told } = make();
  const since = clock.now();
  health.raise('DELIVERY_FAILED', 'PACS', 'not reachable');
  clock.advance(1_000);
  health.raise('DELIVERY_FAILED', 'PACS', 'refused');
  assert.deepEqual(
    health.list().map((item) => [item.detail, item.since]),
    [['refused', since]],
  );
  assert.equal(told(), 2);
});

test('things are apart by code and by subject', () => {
  const { health } = make();
  health.raise('DELIVERY_FAILED', 'PACS', 'a');
  health.raise('DELIVERY_FAILED', 'OTHER', 'b');
  health.raise('TPM_FAILED', 'PACS', 'c');
  health.clear('DELIVERY_FAILED', 'PACS');
  assert.deepEqual(
    health.list().map(({ detail }) => detail),
    ['b', 'c'],
  );
});

test('what returns is new again; clearing what is well tells nobody', () => {
  const { clock, health, told, logger } = make();
  health.clear('TPM_FAILED', 'TPM');
  assert.equal(told(), 0);
  health.raise('TPM_FAILED', 'TPM', 'wedged');
  health.clear('TPM_FAILED', 'TPM');
  health.clear('TPM_FAILED', 'TPM');
  assert.deepEqual(health.list(), []);
  assert.equal(told(), 2);
  clock.advance(5_000);
  health.raise('TPM_FAILED', 'TPM', 'wedged');
  assert.equal(health.list()[0]?.since, clock.now());
  assert.equal(logger.lines.length, 3);
});

test('a listener that unsubscribed hears no more, and the details stay out of the log', () => {
  const { health, told, unsubscribe, logger } = make();
  unsubscribe();
  health.raise('STORE_FAILED', 'disk', 'detail of it');
  assert.equal(told(), 0);
  assert.ok(!logger.lines.join().includes('detail of it'));
});
