/** What a box says of its own TPM while it runs: a TPM that fails, and an event log that it cannot show to the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventLogFault, TpmWatch, tpmProbeMs } from '../../firmware/src/box/tpm-watch.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { TpmHealth } from '../../firmware/src/ports.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { settled } from '../fakes/virtual-clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

const unreadable = new AppError('EVENT_LOG_UNUSABLE', 'the user that runs Hilum has no right to read /log');

class WatchedTpm {
  readonly clock = new ManualClock();
  readonly health = new MemoryHealthBoard();
  state: TpmHealth = 'ready';
  probes = 0;
  logFault: Error | undefined;
  readonly keys = {
    probe: () => {
      this.probes++;
      return Promise.resolve(this.state);
    },
    attester: {
      eventLog: () =>
        this.logFault === undefined ? Promise.resolve(new Uint8Array(3)) : Promise.reject(this.logFault),
    },
  };
  readonly watch = new TpmWatch(this);

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }

  alarms(): readonly (readonly [code: string, subject: string, detail: string])[] {
    return this.health.list().map(({ code, subject, detail }) => [code, subject, detail]);
  }
}

test('an event log that a box cannot show is an alarm from its start on, until it can', async () => {
  const tpm = new WatchedTpm();
  tpm.logFault = unreadable;
  await tpm.watch.start();
  const alarm = ['EVENT_LOG_UNUSABLE', 'TPM', 'the user that runs Hilum has no right to read /log.'];
  assert.deepEqual(tpm.alarms(), [alarm]);
  await tpm.pass(tpmProbeMs);
  assert.deepEqual(tpm.alarms(), [alarm]);
  tpm.logFault = undefined;
  await tpm.pass(tpmProbeMs);
  assert.deepEqual(tpm.alarms(), []);
  await tpm.watch.stop();
});

test('a TPM that fails is an alarm until it is well, and is asked no more once the watch is over', async () => {
  const tpm = new WatchedTpm();
  await tpm.watch.start();
  tpm.state = 'absent';
  await tpm.pass(tpmProbeMs - 1);
  assert.deepEqual([tpm.probes, tpm.alarms()], [0, []]);
  await tpm.pass(1);
  assert.deepEqual(tpm.alarms(), [['TPM_FAILED', 'TPM', 'The TPM is absent.']]);
  tpm.state = 'ready';
  await tpm.pass(tpmProbeMs);
  assert.deepEqual(tpm.alarms(), []);
  await tpm.watch.stop();
  await tpm.pass(10 * tpmProbeMs);
  assert.equal(tpm.probes, 2);
});

test('a watch that ends while it asks waits for the answer, and asks no more', async () => {
  const tpm = new WatchedTpm();
  const { promise, resolve } = Promise.withResolvers<TpmHealth>();
  tpm.keys.probe = () => {
    tpm.probes++;
    return promise;
  };
  await tpm.watch.start();
  await tpm.pass(tpmProbeMs);
  let isOver = false;
  const over = tpm.watch.stop().then(() => (isOver = true));
  await settled();
  assert.equal(isOver, false);
  resolve('ready');
  await over;
  await tpm.pass(10 * tpmProbeMs);
  assert.equal(tpm.probes, 1);
});

test('what is no matter of the event log is not taken for one', async () => {
  const tpm = new WatchedTpm();
  assert.equal(await eventLogFault(tpm.keys.attester), undefined);
  tpm.logFault = unreadable;
  assert.equal(await eventLogFault(tpm.keys.attester), unreadable);
  tpm.logFault = new AppError('TPM_FAILED', 'the TPM is closed');
  await assert.rejects(eventLogFault(tpm.keys.attester), tpm.logFault);
});
