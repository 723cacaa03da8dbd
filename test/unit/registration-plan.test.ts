/** When a study goes to the ledger: the plan alone, without ledger, disk or time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  nextRegistrationStep,
  type StudyProgress,
  type StudyTiming,
} from '../../firmware/src/ingest/registration-plan.ts';

const timing: StudyTiming = { quietMs: 60_000, forcedMs: 600_000, amendMs: 30_000 };

/** A study whose first object came at time 0. */
function study(change: Partial<StudyProgress> = {}): StudyProgress {
  return {
    objects: 5,
    firstObjectAt: 0,
    lastObjectAt: 0,
    steps: 'unknown',
    registered: undefined,
    ...change,
  };
}

function step(progress: StudyProgress, now: number) {
  return nextRegistrationStep(progress, timing, now);
}

test('nothing is registered without an object, and everything at its first', () => {
  assert.deepEqual(step(study({ objects: 0 }), 1e9), { kind: 'settled' });
  assert.deepEqual(step(study({ objects: 1 }), 0), { kind: 'register' });
  assert.deepEqual(step(study({ objects: 1 }), 1e9), { kind: 'register' }, 'however late');
});

test('a growing study is amended when amendMs have passed, not before', () => {
  const growing = study({ lastObjectAt: 29_000, registered: { objects: 1, closed: false, plannedAt: 0 } });
  assert.deepEqual(step(growing, 29_999), { kind: 'wait', until: 30_000 });
  assert.deepEqual(step(growing, 30_000), { kind: 'amend', closed: false });
});

test('a study without a new object is closed when quietMs have passed, not before', () => {
  const quiet = study({ lastObjectAt: 10_000, registered: { objects: 5, closed: false, plannedAt: 10_000 } });
  assert.deepEqual(step(quiet, 69_999), { kind: 'wait', until: 70_000 });
  assert.deepEqual(step(quiet, 70_000), { kind: 'amend', closed: true });
});

test('the last objects are amended and closed in one', () => {
  const late = study({ lastObjectAt: 20_000, registered: { objects: 4, closed: false, plannedAt: 55_000 } });
  assert.deepEqual(step(late, 79_999), { kind: 'wait', until: 80_000 });
  assert.deepEqual(step(late, 80_000), { kind: 'amend', closed: true });
});

test('a study that never falls quiet is closed by force', () => {
  const busy = study({
    lastObjectAt: 599_000,
    registered: { objects: 4, closed: false, plannedAt: 590_000 },
  });
  assert.deepEqual(step(busy, 599_999), { kind: 'wait', until: 600_000 });
  assert.deepEqual(step(busy, 600_000), { kind: 'amend', closed: true });
});

test('a closed study is settled until an object comes late, which reopens it', () => {
  const closed = { objects: 5, closed: true, plannedAt: 70_000 };
  assert.deepEqual(step(study({ registered: closed }), 1e9), { kind: 'settled' });
  const late = study({ objects: 6, firstObjectAt: 90_000, lastObjectAt: 90_000, registered: closed });
  assert.deepEqual(step(late, 90_000), { kind: 'wait', until: 100_000 });
  assert.deepEqual(step(late, 100_000), { kind: 'amend', closed: false });
});

test('a study whose steps ended with all that they name is closed at once', () => {
  const registered = { objects: 4, closed: false, plannedAt: 10_000 };
  const ended = study({ lastObjectAt: 10_000, steps: 'complete', registered });
  assert.deepEqual(step(ended, 10_000), { kind: 'amend', closed: true });
  assert.deepEqual(step(study({ steps: 'complete' }), 0), { kind: 'register' }, 'registered first');
  const settled = { objects: 5, closed: true, plannedAt: 10_000 };
  assert.deepEqual(step(study({ steps: 'complete', registered: settled }), 1e9), { kind: 'settled' });
});

test('corrections of a closed study amend it at most every amendMs', () => {
  const corrected = study({
    objects: 6,
    firstObjectAt: 15_000,
    lastObjectAt: 15_000,
    steps: 'complete',
    registered: { objects: 5, closed: true, plannedAt: 10_000 },
  });
  assert.deepEqual(step(corrected, 15_000), { kind: 'wait', until: 40_000 });
  assert.deepEqual(step(corrected, 40_000), { kind: 'amend', closed: true });
});

test('while a step is in progress the quiet time closes nothing; the forced maximum does', () => {
  const scanning = study({
    lastObjectAt: 10_000,
    steps: 'in progress',
    registered: { objects: 5, closed: false, plannedAt: 10_000 },
  });
  assert.deepEqual(step(scanning, 70_000), { kind: 'wait', until: 600_000 });
  assert.deepEqual(step(scanning, 600_000), { kind: 'amend', closed: true });
});

test('every wait is for the future, and what is due now is never put off', () => {
  const time = fc.integer({ min: 0, max: 2_000_000 });
  const registered = fc.option(
    fc.record({ objects: fc.integer({ min: 0, max: 6 }), closed: fc.boolean(), plannedAt: time }),
    { nil: undefined },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 6 }),
      time,
      time,
      registered,
      time,
      fc.constantFrom('unknown', 'in progress', 'complete'),
      (objects, first, last, on, now, steps) => {
        const progress = study({
          objects,
          firstObjectAt: Math.min(first, last),
          lastObjectAt: Math.max(first, last),
          steps,
          registered: on === undefined ? undefined : { ...on, objects: Math.min(on.objects, objects) },
        });
        const next = step(progress, now);
        if (next.kind !== 'wait') return;
        assert.ok(next.until > now);
        assert.notEqual(step(progress, next.until).kind, 'wait', 'what it waited for is due then');
      },
    ),
  );
});
