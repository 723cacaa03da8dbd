import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../firmware/src/ports.ts';
import { startDeadline } from '../../firmware/src/p2p/deadline.ts';
import { Heartbeat } from '../../firmware/src/p2p/heartbeat.ts';
import { beatMs, beatsMissedMax } from '../../firmware/src/p2p/limits.ts';

/** Time that stands until it is moved. */
class ManualClock implements Clock {
  #now = 0;
  #timers = new Set<{ at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(): Promise<void> {
    throw new Error('nothing here sleeps');
  }

  setTimer(ms: number, run: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  get timers(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.run();
    }
  }
}

describe('a heartbeat', () => {
  const watch = (clock: Clock, listening = (): boolean => true) => {
    const seen = { beats: 0, silent: 0 };
    const heartbeat = new Heartbeat(clock, {
      beat: () => seen.beats++,
      silent: () => seen.silent++,
      listening,
    });
    return { heartbeat, seen };
  };

  it('beats, and calls silence after 15 s without a sound', () => {
    const clock = new ManualClock();
    const { seen } = watch(clock);
    for (let i = 1; i < beatsMissedMax; i++) clock.advance(beatMs);
    assert.deepEqual(seen, { beats: beatsMissedMax - 1, silent: 0 });
    clock.advance(beatMs);
    assert.equal(seen.silent, 1);
    assert.equal(clock.timers, 0);
    assert.equal(beatMs * beatsMissedMax, 15_000);
  });

  it('goes on while the peer is heard', () => {
    const clock = new ManualClock();
    const { heartbeat, seen } = watch(clock);
    for (let i = 0; i < 20; i++) {
      clock.advance(beatMs);
      heartbeat.heard();
    }
    assert.deepEqual(seen, { beats: 20, silent: 0 });
    heartbeat.stop();
    assert.equal(clock.timers, 0);
  });

  it('takes no silence for a loss while this side does not read', () => {
    const clock = new ManualClock();
    const { seen } = watch(clock, () => false);
    for (let i = 0; i < 20; i++) clock.advance(beatMs);
    assert.deepEqual(seen, { beats: 20, silent: 0 });
  });

  it('counts beats and not time, so that a process that was held up cuts nobody', () => {
    const clock = new ManualClock();
    const { heartbeat, seen } = watch(clock);
    clock.advance(60_000);
    heartbeat.heard();
    clock.advance(beatMs);
    assert.equal(seen.silent, 0);
  });
});

describe('a deadline', () => {
  it('fires with its own reason, or with that of a parent, and leaves nothing behind', () => {
    const clock = new ManualClock();
    const late = startDeadline(clock, 10, () => new Error('late'));
    clock.advance(10);
    assert.match(String(late.signal.reason), /late/);

    const parent = new AbortController();
    const child = startDeadline(clock, 10, () => new Error('late'), undefined, parent.signal);
    parent.abort(new Error('parent'));
    assert.match(String(child.signal.reason), /parent/);
    child.cancel();
    assert.equal(clock.timers, 0);

    const kept = startDeadline(clock, 10, () => new Error('late'));
    kept.cancel();
    clock.advance(20);
    assert.equal(kept.signal.aborted, false);
    assert.match(
      String(startDeadline(clock, 10, () => new Error('late'), parent.signal).signal.reason),
      /parent/,
    );
  });
});
