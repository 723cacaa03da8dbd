import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  absentLeaderTimeoutMs,
  finalityPatienceMs,
  heartbeatMs,
  viewTimeoutMs,
} from '../../firmware/src/validator/limits.ts';
import type { ViewFacts } from '../../firmware/src/validator/pace.ts';
import { failedViews, pace } from '../../firmware/src/validator/pace.ts';

/** A view that began a second after its parent's block. */
const quiet: ViewFacts = {
  now: 101_500,
  startedAt: 101_000,
  workSince: undefined,
  hasWork: false,
  parentTime: 100_000,
  parentIsFinal: true,
  leaderIsConnected: true,
  failedViews: 0,
  validators: 4,
};

test('a quiet view waits for the heartbeat', () => {
  assert.deepEqual(pace(quiet), { workSince: undefined, giveUpAt: undefined, wakeAt: 100_000 + heartbeatMs });
});

test('work is due at once, and the view is given up so long after it came', () => {
  const giveUpAt = quiet.now + viewTimeoutMs;
  assert.deepEqual(pace({ ...quiet, hasWork: true }), { workSince: quiet.now, giveUpAt, wakeAt: giveUpAt });
  const later = pace({ ...quiet, now: quiet.now + 700, hasWork: true, workSince: quiet.now });
  assert.equal(later.giveUpAt, giveUpAt);
});

test('work that goes away is forgotten', () => {
  assert.equal(pace({ ...quiet, workSince: 101_200 }).workSince, undefined);
});

test('a heartbeat is work from its time on, or from the beginning of a view that is late', () => {
  const due = 100_000 + heartbeatMs;
  assert.equal(pace({ ...quiet, now: due + 40 }).workSince, due);
  assert.equal(pace({ ...quiet, now: due + 40, startedAt: due + 30 }).workSince, due + 30);
});

test('a block that does not become final is followed by another after a while', () => {
  const facts = { ...quiet, parentIsFinal: false, now: quiet.startedAt + 1 };
  assert.deepEqual(pace(facts).workSince, undefined);
  assert.equal(pace(facts).wakeAt, quiet.startedAt + finalityPatienceMs);
  assert.equal(
    pace({ ...facts, now: quiet.startedAt + finalityPatienceMs }).workSince,
    quiet.startedAt + finalityPatienceMs,
  );
});

test('an absent leader gets less time, and all get more after rounds of failures', () => {
  const timeout = (change: Partial<ViewFacts>): number =>
    (pace({ ...quiet, hasWork: true, ...change }).giveUpAt ?? 0) - quiet.now;
  assert.equal(timeout({ leaderIsConnected: false }), absentLeaderTimeoutMs);
  assert.equal(timeout({ failedViews: 3 }), viewTimeoutMs);
  assert.equal(timeout({ failedViews: 4 }), 2 * viewTimeoutMs);
  assert.equal(timeout({ failedViews: 8 }), 4 * viewTimeoutMs);
  assert.equal(timeout({ failedViews: 1000 }), 8 * viewTimeoutMs);
});

test('views that a restart has taken out have not failed', () => {
  assert.equal(failedViews({ view: 20, restart: undefined }, 12), 7);
  const restart = { view: 12, floor: 1_048_588 };
  assert.equal(failedViews({ view: 1_048_589, restart }, 12), 0);
  assert.equal(failedViews({ view: 1_048_592, restart }, 12), 3);
  assert.equal(failedViews({ view: 1_048_592, restart }, 1_048_590), 1);
  // It has been ordered, and this box has not come there yet.
  assert.equal(failedViews({ view: 13, restart }, 12), 0);
});
