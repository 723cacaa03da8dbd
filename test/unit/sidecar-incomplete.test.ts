/** An archive that gives less than it had listed: told until the rest comes, or until somebody accepts it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ReleaseWorld } from '../support/release-world.ts';
import { archiveAeTitle, referenced, SidecarScene, studyOf } from '../support/sidecar-scene.ts';
import { until } from '../support/until.ts';

test('what the archive no longer has is told, and the rest is released as what it is', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 4);
  scene.archive.moved = async (uid) => {
    await scene.sends(uid, 2);
    return { completed: 1, failed: 0 };
  };
  const pulls = scene.pulls();
  await pulls.start();
  await pulls.ask(study);
  await until(() => study.pulled !== undefined, 'the study to be pulled');
  assert.equal(study.pulled?.missing, 3);
  const alarm = (): string | undefined =>
    scene.health.list().find(({ code }) => code === 'STUDY_INCOMPLETE')?.detail;
  const told = 'Studies of which the archive gave fewer objects than it had listed: 1.';
  const missing = (): number[] => pulls.incomplete.list().map((each) => each.missing);
  assert.equal(alarm(), told);
  assert.deepEqual(missing(), [3]);
  await scene.sends('1.3', 1);
  await scene.sends('1.3', 3);
  assert.equal(alarm(), told);
  assert.deepEqual(missing(), [1]);
  await scene.sends('1.3', 4);
  assert.equal(alarm(), undefined, 'what was missing came after all');
  assert.deepEqual(missing(), []);
  await pulls.stop();
});

test('what is missing is told after a restart too, until an administrator accepts it, which stays accepted', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  scene.archive.add('20260103', '1.4', 3);
  const older = await referenced(scene, '1.3', 2);
  const newer = studyOf(world, '1.4');
  scene.archive.moved = async (uid) => {
    await scene.sends(uid, 2);
    return { completed: 1, failed: 0 };
  };
  const first = scene.pulls();
  await first.start();
  for (const study of [older, newer]) {
    await first.ask(study);
    await until(() => study.pulled !== undefined, 'the study to be pulled');
    world.clock.advance(60_000);
  }
  await first.stop();

  scene.health.clear('STUDY_INCOMPLETE', archiveAeTitle);
  const second = scene.pulls();
  await second.start();
  const alarm = (): string | undefined =>
    scene.health.list().find(({ code }) => code === 'STUDY_INCOMPLETE')?.detail;
  const listed = ({ incomplete }: typeof first): [string, number][] =>
    incomplete.list().map(({ study, missing }) => [study.ref, missing]);
  assert.deepEqual(listed(second), [
    [newer.ref, 2],
    [older.ref, 1],
  ]);
  assert.match(alarm() ?? '', /: 2\.$/);
  assert.deepEqual(await second.incomplete.accept(older.ref, 'anna'), { kind: 'done' });
  assert.deepEqual(listed(second), [[newer.ref, 2]]);
  assert.match(alarm() ?? '', /: 1\.$/);
  assert.equal((await second.incomplete.accept(older.ref, 'anna')).kind, 'refused');
  await second.stop();

  const third = scene.pulls();
  await third.start();
  assert.deepEqual(listed(third), [[newer.ref, 2]]);
  await third.incomplete.accept(newer.ref, 'anna');
  assert.equal(alarm(), undefined);
  await third.stop();
});
