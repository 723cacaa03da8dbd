/** The frames of a release, and that none leaves once the ledger does not permit it any more. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { basisId, idBytes } from '../../firmware/src/ledger/index.ts';
import type { Clock } from '../../firmware/src/ports.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { decodeManifest, verifyManifest } from '../../firmware/src/protocol/manifests.ts';
import { basisPermits, type RefusalGround } from '../../firmware/src/release/admission.ts';
import { recheckMs } from '../../firmware/src/release/limits.ts';
import { decodeStreamHead } from '../../firmware/src/release/messages.ts';
import { streamObjects } from '../../firmware/src/release/stream.ts';
import { ReleaseWorld } from '../support/release-world.ts';

const bodies = [randomBytes(2 * chunkBytes + 5), randomBytes(10), randomBytes(chunkBytes)];

/** A world with a granted study of three objects, and a stream of it under the rules of the source. */
async function makeStream(
  change: { readonly clock?: (world: ReleaseWorld) => Clock; readonly skip?: number } = {},
) {
  const world = new ReleaseWorld();
  const study = await world.registeredStudy('1.2.3', bodies);
  const grant = await world.grant(study, 'south');
  const cuts: RefusalGround[] = [];
  const clock = change.clock?.(world) ?? world.clock;
  const frames = streamObjects({
    study,
    objects: study.newest,
    skip: change.skip ?? 0,
    clock,
    groundAgainst: () => {
      const permitted = basisPermits(
        {
          head: world.ledger.head(),
          state: world.ledger.state(),
          now: clock.now(),
          suspends: () => false,
        },
        'south',
        idBytes(basisId(grant)),
      );
      return permitted.kind === 'refused' ? permitted.ground : undefined;
    },
    onObjectSent: () => undefined,
    cut: (ground) => cuts.push(ground),
  })[Symbol.asyncIterator]();
  return { world, study, grant, frames, cuts, clock };
}

async function rest(frames: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let next = await frames.next(); next.done !== true; next = await frames.next())
    all.push(new Uint8Array(next.value));
  return all;
}

const notReleased = { code: 'NOT_RELEASED' };

test('head, manifest, then each chunk of each object: what the ledger commits to', async () => {
  const { world, study, frames, cuts } = await makeStream();
  const [head, manifestBytes, ...chunks] = await rest(frames);
  assert.ok(head !== undefined && manifestBytes !== undefined);
  assert.equal(decodeStreamHead(head), 1);
  const manifest = decodeManifest(manifestBytes);
  assert.ok(manifest.kind === 'manifest');
  const record = world.record(study);
  assert.ok(record !== undefined && verifyManifest(manifest.manifest, record.commitment));
  assert.equal(chunks.length, 3 + 1 + 2);
  assert.ok(chunks.every((chunk) => chunk.length <= chunkBytes));
  for (const body of bodies) assert.ok(Buffer.concat(chunks).includes(body));
  assert.deepEqual(cuts, []);
});

test('what the grantee holds is left out; the manifest names it nevertheless', async () => {
  const { frames } = await makeStream({ skip: 2 });
  const [, manifestBytes, ...chunks] = await rest(frames);
  const manifest = decodeManifest(manifestBytes ?? new Uint8Array(0));
  assert.ok(manifest.kind === 'manifest' && manifest.manifest.instances.length === 3);
  assert.equal(chunks.length, 2);
  assert.ok(bodies[2] !== undefined && Buffer.concat(chunks).includes(bodies[2]));
});

test('a permitted stream goes on over any number of rechecks', async () => {
  const { world, frames, cuts } = await makeStream();
  let count = 0;
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    count++;
    world.clock.advance(recheckMs);
    world.ledger.finalise();
  }
  assert.equal(count, 2 + 6);
  assert.deepEqual(cuts, []);
});

// One case for each place in which a receiver may have stalled: before anything, the head, the manifest, each chunk.
for (let taken = 0; taken < 8; taken++) {
  test(`a stream revoked after ${taken} frames is cut at the next recheck, once, and yields nothing more`, async () => {
    const { world, study, frames, cuts } = await makeStream();
    for (let i = 0; i < taken; i++) assert.equal((await frames.next()).done, false);
    await world.revoke(study, 'all');
    world.clock.advance(recheckMs - 1);
    if (taken > 0) assert.deepEqual(cuts, [], 'between two looks it goes on');
    world.ledger.finalise();
    world.clock.advance(1);
    await assert.rejects(async () => frames.next(), notReleased);
    assert.deepEqual(cuts, ['the grant was withdrawn']);
    assert.equal((await frames.next()).done, true);
    world.clock.advance(10 * recheckMs);
    assert.equal(cuts.length, 1);
  });
}

test('a stalled receiver is cut by the timer: nobody has to ask for a frame', async () => {
  const { world, study, frames, cuts } = await makeStream();
  await frames.next();
  await frames.next();
  await frames.next();
  await world.revoke(study, 'all');
  world.clock.advance(recheckMs);
  assert.deepEqual(cuts, ['the grant was withdrawn']);
});

test('an expiry in the middle cuts, at the own clock’s time', async () => {
  const { world, grant, frames, cuts } = await makeStream();
  await frames.next();
  await frames.next();
  await frames.next();
  world.clock.advance(grant.expiry - world.clock.now() - 1);
  world.ledger.finalise();
  await assert.rejects(async () => {
    world.clock.advance(recheckMs);
    await frames.next();
  }, notReleased);
  assert.equal(cuts.length, 1);
});

test('a box that was suspended across the revocation sends nothing when it wakes, before any timer has run', async () => {
  let suspendedMs = 0;
  const { frames, cuts } = await makeStream({
    clock: ({ clock }) => ({
      now: () => clock.now() + suspendedMs,
      setTimer: (ms, run) => clock.setTimer(ms, run),
      sleep: (ms, signal) => clock.sleep(ms, signal),
    }),
  });
  for (let i = 0; i < 3; i++) assert.equal((await frames.next()).done, false);
  // The machine sleeps for ten minutes. Its timers are due, but the disk's answer comes first.
  suspendedMs = 600_000;
  await assert.rejects(async () => frames.next(), notReleased);
  assert.deepEqual(cuts, ['the ledger is not fresh']);
});

test('no byte leaves more than 45 s after a final revocation that the source cannot see', async () => {
  for (const blockTimeAheadMs of [0, 10_000]) {
    const { world, frames } = await makeStream();
    // The last block that the source ever sees; the revocation is final right after it, on the other side.
    world.clock.advance(1);
    const finalAt = world.clock.now();
    world.ledger.aheadMs = blockTimeAheadMs;
    world.ledger.finalise();
    let last = 0;
    try {
      for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
        last = world.clock.now();
        // The slowest receiver that still gets as many frames as possible: one each 6 s.
        world.clock.advance(6_000);
      }
      assert.fail('the whole study left');
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'NOT_RELEASED');
    }
    assert.ok(last - finalAt <= 35_000 + blockTimeAheadMs, `the last byte left after ${last - finalAt} ms`);
    assert.ok(last > finalAt, 'something was sent before');
  }
});

test('a source whose clock is half a minute behind block time cuts at its next look, though the block is new', async () => {
  const { world, frames, cuts } = await makeStream();
  for (let i = 0; i < 3; i++) assert.equal((await frames.next()).done, false);
  // Were the block fresh until its own clock has come that far, bytes would leave 65 s after a revocation.
  world.ledger.aheadMs = 30_000;
  world.ledger.finalise();
  world.clock.advance(recheckMs);
  assert.deepEqual(cuts, ['the ledger is not fresh']);
  await assert.rejects(async () => frames.next(), notReleased);
});

test('the watch ends with the stream, however it ends', async () => {
  const timers = new Set<object>();
  const counting = ({ clock }: ReleaseWorld): Clock => ({
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    setTimer: (ms, run) => {
      const key = {};
      const timer = clock.setTimer(ms, () => {
        timers.delete(key);
        run();
      });
      timers.add(key);
      return {
        cancel: () => {
          timers.delete(key);
          timer.cancel();
        },
      };
    },
  });
  const whole = await makeStream({ clock: counting });
  await rest(whole.frames);
  assert.equal(timers.size, 0);
  const left = await makeStream({ clock: counting });
  await left.frames.next();
  assert.equal(timers.size, 1);
  await left.frames.return?.();
  assert.equal(timers.size, 0);
  const damaged = await makeStream({ clock: counting });
  for (const { objects } of damaged.world.disk.studies.values()) objects.clear();
  await assert.rejects(rest(damaged.frames), { code: 'STORE_CORRUPT' });
  assert.equal(timers.size, 0);
});

test('chunks are those that were kept, byte for byte and in order', async () => {
  const { study, frames } = await makeStream();
  const [, , ...chunks] = await rest(frames);
  const joined = Buffer.concat(chunks);
  let at = 0;
  for (const [index, object] of study.objects.entries()) {
    const body = bodies[index];
    assert.ok(body !== undefined);
    const end = at + object.length;
    assert.ok(equalBytes(joined.subarray(end - body.length, end), body));
    at = end;
  }
  assert.equal(at, joined.length);
});
