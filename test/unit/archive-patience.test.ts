/** A C-MOVE whose archive takes its time: fetching from tape, it says nothing for hours. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { archiveScu } from '../../firmware/dimse/archive-scu.ts';
import { keepAliveMs, moveResponseMsMax, responseMsMax } from '../../firmware/dimse/limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/dimse-peer.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import { service } from '../support/dimse-service-fixture.ts';

const options = { timeout: 20_000 };
const studyRootMove = '1.2.840.10008.5.1.4.1.2.2.2';
const hour = 3_600_000;

/** An archive that answers a C-MOVE when it is told to, and what the box that asks it hears. */
async function slowArchive() {
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<void>();
  const counts = { completed: 1, failed: 0, warning: 0 };
  const moving = service(
    async (operation) => {
      asked.resolve();
      await found.promise;
      await operation.pending({ status: 0xff00, subOperations: { ...counts, remaining: 1 } });
      return { status: 0, subOperations: counts };
    },
    { sopClasses: [studyRootMove], permission: 'retrieve' },
  );
  const { port } = await started(new MemoryStore(), { services: [moving] });
  const clock = new ManualClock();
  const peer = { host: '127.0.0.1', port, callingAeTitle: 'BOX', calledAeTitle: 'HILUM' };
  return { archive: archiveScu({ ...peer, clock }, 'BOX'), clock, asked: asked.promise, found };
}

test('an archive that says nothing for hours is waited for; its answers are heard', options, async () => {
  assert.ok(moveResponseMsMax > 3 * hour && responseMsMax < hour);
  const keptAlive = mock.method(Socket.prototype, 'setKeepAlive');
  const { archive, clock, asked, found } = await slowArchive();
  let heard = 0;
  const moved = archive.move('1.2.3', new AbortController().signal, () => (heard += 1));
  await asked;
  clock.advance(3 * hour);
  found.resolve();
  assert.deepEqual(await moved, { completed: 1, failed: 0 });
  assert.equal(heard, 2);
  // Firewalls forget connections over which nothing goes, and a dead archive says nothing either.
  assert.ok(keptAlive.mock.calls.some(({ arguments: [on, ms] }) => on === true && ms === keepAliveMs));
  keptAlive.mock.restore();
});

test('who asked ends the wait when his patience does', options, async () => {
  const { archive, asked, found } = await slowArchive();
  const patience = new AbortController();
  const moved = archive.move('1.2.3', patience.signal);
  await asked;
  patience.abort(new Error('long enough'));
  await assert.rejects(moved, /long enough/);
  found.resolve();
});
