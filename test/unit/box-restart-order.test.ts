/** How a restart order comes to a box: `hilum restart` leaves it in the data folder. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bringRestartOrder, broughtRestartOrder } from '../../firmware/src/box/restart-order.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { signedOrder } from '../support/restart-orders.ts';

test('an order is brought, told in words, and found at the next start; what is none is not taken', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'restart-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const health = new MemoryHealthBoard();
  const find = () => broughtRestartOrder({ config: { dataDir }, health, logger: silentLogger });
  assert.equal((await find()).restartOrder, undefined);
  const order = {
    chain: new Uint8Array(32),
    epoch: 3,
    height: 70,
    digest: new Uint8Array(32),
    view: 12,
    floor: 12 + restartViewsMin,
    abstaining: [
      { institution: 'north', start: 3 },
      { institution: 'south', start: 8 },
    ],
  };
  const bytes = signedOrder(order, ['east', 'west']);
  const path = join(dataDir, 'from a stick');
  await writeFile(path, bytes);
  const [from, , signers] = await bringRestartOrder({ dataDir }, path);
  assert.match(from ?? '', /Epoch 3 goes on from block 70/);
  assert.match(signers ?? '', /east, west/);
  assert.deepEqual((await find()).restartOrder, bytes);
  await writeFile(path, 'something else');
  await assert.rejects(bringRestartOrder({ dataDir }, path), { code: 'RESTART_INVALID' });
  await assert.rejects(bringRestartOrder({ dataDir }, join(dataDir, 'nothing')), { code: 'RESTART_INVALID' });
  assert.deepEqual((await find()).restartOrder, bytes);
  await (await find()).discardRestartOrder();
  assert.equal((await find()).restartOrder, undefined);
  assert.deepEqual(health.list(), []);
});

test('an order that cannot be read is an alarm, and the box starts without it', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'restart-'));
  t.after(() => rm(dataDir, { recursive: true }));
  await mkdir(join(dataDir, 'restart.order'));
  const health = new MemoryHealthBoard();
  const found = await broughtRestartOrder({ config: { dataDir }, health, logger: silentLogger });
  assert.equal(found.restartOrder, undefined);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['RESTART_REFUSED'],
  );
  // Not removed, and no fault of the ledger.
  await found.discardRestartOrder();
});
