import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LedgerStatusBoard } from '../../firmware/src/box/ledger-status.ts';
import { ledgerSizeMs } from '../../firmware/src/box/limits.ts';
import { genesisBlock } from '../../firmware/src/ledger/index.ts';
import type { FinalBlock } from '../../firmware/src/ports.ts';
import type { CatchingUp } from '../../firmware/src/validator/catch-up-status.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { LedgerFixture } from '../fakes/ledger.ts';
import { settled } from '../fakes/virtual-clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('the console is shown the size of the ledger, measured now and then, and how far the box has come', async () => {
  const clock = new ManualClock();
  const block = genesisBlock(new LedgerFixture().genesis);
  const final: FinalBlock = { block: { ...block, header: { ...block.header, height: 7 } }, transactions: [] };
  const listeners: ((final: FinalBlock) => void)[] = [];
  let bytes = 1000;
  let catchingUp: CatchingUp | undefined = {
    by: 'snapshot',
    done: 3,
    of: 9,
    perSecond: 0,
    secondsLeft: undefined,
  };
  const board = new LedgerStatusBoard(
    {
      bytes: () => Promise.resolve(bytes),
      consensus: () => ({ view: 1, finalView: 0, isVoting: true, waiting: 0, catchingUp }),
      onFinal: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
    },
    clock,
    silentLogger,
  );
  board.start();
  assert.deepEqual(board.status(), { bytes: 0, catchingUp: { ...catchingUp, secondsLeft: null } });
  catchingUp = undefined;
  for (const [size, shown] of [
    [1000, 1000],
    [2000, 1000],
  ] as const) {
    bytes = size;
    for (const listener of listeners) listener(final);
    await settled();
    assert.deepEqual(board.status(), { bytes: shown, catchingUp: null });
  }
  clock.advance(ledgerSizeMs);
  for (const listener of listeners) listener(final);
  await settled();
  assert.equal(board.status().bytes, 2000);
});
