/** What a box says of itself when the ledger stands still: members decide by it from where to go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoreState } from '../../firmware/src/consensus/state.ts';
import { emptyView } from '../../firmware/src/consensus/state.ts';
import { headAgeMsMax } from '../../firmware/src/validator/limits.ts';
import type { StandstillOptions } from '../../firmware/src/validator/standstill.ts';
import { Standstill } from '../../firmware/src/validator/standstill.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const digestOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Final here: block 7 of view 3. Of the blocks that are named only the one of view 4 is at hand with all before it. */
function standstill(finalView: number, notarizedViews: readonly number[], gap?: number, hasLog = true) {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const views = notarizedViews.map((view) => {
    const notarization = {
      kind: 'notarize',
      epoch: 2,
      view,
      digest: digestOf(view),
      signatures: [],
    } as const;
    return [view, { ...emptyView, notarization }] as const;
  });
  const core = {
    options: { epoch: 2 },
    view: 9,
    final: { view: finalView, digest: digestOf(finalView), certificate: undefined },
    views: new Map(views),
  } as unknown as CoreState;
  const lookup = (digest: Uint8Array) =>
    digest[0] === 4
      ? { kind: 'executed', block: { block: { header: { height: 8 } } } }
      : { kind: 'missing', digest: digestOf(5) };
  const options = {
    chain: { head: { height: 7, digest: digestOf(3) }, place: { epoch: 2, view: 3 } },
    tree: { lookup },
    clock,
    logger,
    rights: { gap, hasLog },
    core: () => core,
  } as unknown as StandstillOptions;
  return { found: new Standstill(options), clock, logger };
}

test('the last block is the newest one that is final or notarized, at hand or not', () => {
  const last = (...given: Parameters<typeof standstill>) => standstill(...given).found.lastBlock;
  assert.deepEqual(last(3, []), { epoch: 2, view: 3, height: 7, digest: digestOf(3) });
  assert.deepEqual(last(3, [4]), { epoch: 2, view: 4, height: 8, digest: digestOf(4) });
  assert.deepEqual(last(3, [6, 4]), { epoch: 2, view: 6, height: undefined, digest: digestOf(6) });
  // Known to be final by its certificate alone.
  assert.deepEqual(last(5, [4]), { epoch: 2, view: 5, height: undefined, digest: digestOf(5) });
});

test('the log line says once what an order must name: the block, and since which start votes are missing', () => {
  const { found, clock, logger } = standstill(3, [6], 17);
  found.look(headAgeMsMax + 1);
  assert.deepEqual(logger.lines, []);
  clock.advance(headAgeMsMax);
  found.look(2 * headAgeMsMax);
  found.look(2 * headAgeMsMax + 1);
  assert.equal(logger.lines.length, 1);
  assert.match(
    logger.lines[0] ?? '',
    /"view":6.*"height":"body missing".*"reachedView":9.*"forgottenSince":17/,
  );
});

test('a box that cannot read its vote log does not say that it has forgotten nothing', () => {
  for (const [hasLog, told] of [
    [true, 'nothing'],
    [false, 'unreadable'],
  ] as const) {
    const { found, clock, logger } = standstill(3, [], undefined, hasLog);
    found.look(headAgeMsMax + 1);
    clock.advance(headAgeMsMax);
    found.look(2 * headAgeMsMax);
    assert.match(logger.lines[0] ?? '', new RegExp(`"forgottenSince":"${told}"`));
  }
});
