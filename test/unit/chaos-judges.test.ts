/** What judges the chaos of real processes: a plan that keeps to its word, and judges that do complain. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BoxReport } from '../chaos/box-messages.ts';
import { plan } from '../chaos/plan.ts';
import { Progress } from '../chaos/progress.ts';
import { Witness } from '../chaos/witness.ts';
import { randomFrom } from '../sim/random.ts';

describe('plan', () => {
  const hourMs = 3_600_000;
  const plans = Array.from({ length: 50 }, (_, seed) => plan(randomFrom(seed), 7, hourMs));

  it('is the same for the same seed', () => {
    assert.deepEqual(plan(randomFrom(3), 7, hourMs), plans[3]);
  });

  it('is over in time, and troubles no box twice at once', () => {
    for (const steps of plans) {
      const freeAt = new Map<number, number>();
      for (const { atMs, boxes, forMs } of steps) {
        assert.ok(atMs + forMs < hourMs);
        for (const box of boxes) {
          assert.ok(atMs >= (freeAt.get(box) ?? 0), `box ${box} at ${atMs}`);
          freeAt.set(box, atMs + forMs);
        }
      }
    }
  });

  it('has times with more troubled boxes than are tolerated, and long ones with fewer', () => {
    for (const steps of plans) {
      const troubled = (ms: number): number =>
        steps.filter(({ atMs, forMs }) => atMs <= ms && ms < atMs + forMs).flatMap(({ boxes }) => boxes)
          .length;
      const seconds = Array.from({ length: hourMs / 1000 }, (_, second) => troubled(1000 * second));
      const rough = seconds.filter((count) => count > 2).length;
      assert.ok(rough > 100, `${rough} s are rough`);
      assert.ok(seconds.length - rough > seconds.length / 2, `${rough} s are rough`);
    }
  });
});

describe('progress', () => {
  const withFive = (): Progress => {
    const progress = new Progress(5, 1000);
    for (let box = 0; box < 5; box++) progress.up(box, 0);
    return progress;
  };

  it('is content while blocks come', () => {
    const progress = withFive();
    for (let now = 900; now < 10_000; now += 900) progress.grew(now);
    progress.look(10_000);
    assert.deepEqual(progress.complaints, []);
    assert.equal(progress.worstMs, 900);
    assert.equal(progress.expectedMs, 10_000);
  });

  it('complains once of a quorum that brings nothing', () => {
    const progress = withFive();
    progress.grew(500);
    for (let now = 600; now < 9000; now += 100) progress.look(now);
    assert.equal(progress.complaints.length, 1);
  });

  it('expects nothing of fewer, and begins anew when another quorum is complete', () => {
    const progress = withFive();
    progress.down(2, 100);
    progress.look(20_000);
    progress.up(2, 20_000);
    progress.look(20_900);
    assert.deepEqual(progress.complaints, []);
    progress.look(21_100);
    assert.equal(progress.complaints.length, 1);
  });

  it('does not begin anew when a sixth comes and goes', () => {
    const progress = withFive();
    progress.up(5, 500);
    progress.down(5, 800);
    progress.look(1100);
    assert.equal(progress.complaints.length, 1);
  });
});

describe('witness', () => {
  const block = (height: number, ...ids: readonly string[]) => ({ height, digest: `digest ${height}`, ids });
  const report = (change: Partial<BoxReport> = {}): BoxReport => ({
    kind: 'report',
    blocks: [block(1, 'one'), block(2, 'two')],
    epoch: 1,
    isVoting: true,
    accused: [],
    alarms: [],
    ...change,
  });
  const complaintsOf = (change: Partial<BoxReport>, upTo = 2): readonly string[] => {
    const witness = new Witness();
    witness.block('alder', block(1));
    witness.block('alder', block(2));
    witness.transaction('alder', 'two', 2);
    witness.report('birch', report(change), upTo);
    return witness.complaints;
  };

  it('is content with equal ledgers that hold what was told', () => {
    assert.deepEqual(complaintsOf({}), []);
  });

  it('asks for nothing that became final after the boxes were asked', () => {
    assert.deepEqual(complaintsOf({ blocks: [block(1, 'one')] }, 1), []);
  });

  const wrong: Readonly<Record<string, Partial<BoxReport>>> = {
    'another block': { blocks: [block(1, 'one'), { ...block(2, 'two'), digest: 'other' }] },
    'a block too few': { blocks: [block(1, 'two')] },
    'a gap': { blocks: [block(2, 'two'), block(3)] },
    'a transaction that was final and is not there': { blocks: [block(1, 'one'), block(2)] },
    'a transaction in another block': { blocks: [block(1, 'two'), block(2)] },
    'a transaction twice': { blocks: [block(1, 'two'), block(2, 'two')] },
    'an honest box accused': { accused: ['alder'] },
    'an alarm': { alarms: ['VOTE_LOG_CORRUPT'] },
    'a box without a vote': { isVoting: false },
  };
  for (const [what, change] of Object.entries(wrong)) {
    it(`complains of ${what}`, () => {
      assert.notDeepEqual(complaintsOf(change), []);
    });
  }

  it('complains of two boxes that differ, while they run', () => {
    const witness = new Witness();
    assert.equal(witness.block('alder', block(1)), true);
    assert.equal(witness.block('birch', { height: 1, digest: 'other' }), false);
    witness.transaction('alder', 'one', 1);
    witness.transaction('birch', 'one', 2);
    assert.equal(witness.complaints.length, 2);
  });
});
