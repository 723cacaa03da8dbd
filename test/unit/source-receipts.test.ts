/** What a source signs of receipts: nothing that would wait in the boxes' memory, and no size that was not sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idBytes, openId } from '../../firmware/src/ledger/index.ts';
import { receiptAheadMsMax, receiptValidMs, refusalAnswerMs } from '../../firmware/src/release/limits.ts';
import { decodeReleaseAnswer, encodeReleaseAnswer } from '../../firmware/src/release/messages.ts';
import { bytesOf } from '../fakes/ledger.ts';
import {
  closeRequest,
  granted,
  openRequest,
  refusedAnswer,
  type SourceScene,
} from '../support/source-scene.ts';
import { settle } from '../support/until.ts';

const recorded = encodeReleaseAnswer({ kind: 'recorded' });

function sessionsOnDisk({ store }: SourceScene): number {
  return [...store.values.keys()].filter((key) => key.startsWith('open/')).length;
}

test('an open that would apply later only is neither submitted nor kept, whatever the patient granted', async () => {
  const { scene, study, grant } = await granted();
  const before = scene.world.ledger.submitted.length;
  for (let i = 0; i < 5; i++) {
    // Under a grant of two opens, valid until the year 2096.
    const { bytes } = await openRequest(scene, study, grant, {
      openNo: 900,
      validUntil: 4_000_000_000_000 + i,
    });
    assert.deepEqual((await scene.ask(bytes)).answer, refusedAnswer);
  }
  assert.equal(scene.world.ledger.submitted.length, before);
  assert.equal(sessionsOnDisk(scene), 0);
});

test('an open that can be final no more is neither submitted nor kept', async () => {
  const { scene, study, grant } = await granted();
  const { ledger } = scene.world;
  const before = ledger.submitted.length;
  for (const validUntil of [1_000_000, ledger.head().time]) {
    const { bytes } = await openRequest(scene, study, grant, { validUntil });
    assert.deepEqual((await scene.ask(bytes)).answer, refusedAnswer);
  }
  assert.equal(ledger.submitted.length, before);
  assert.equal(sessionsOnDisk(scene), 0);
  assert.ok(scene.disclosures.list().some(({ reason }) => reason === 'the receipt is valid no more'));
});

test('what the ledger refused is not kept, and another receipt may be signed at once', async () => {
  const { scene, study, grant } = await granted();
  const { ledger, clock } = scene.world;
  ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'expired' });
  const first = await openRequest(scene, study, grant);
  assert.deepEqual((await scene.ask(first.bytes)).answer, refusedAnswer);
  assert.equal(sessionsOnDisk(scene), 0);
  ledger.before = () => Promise.resolve(undefined);
  const second = await openRequest(scene, study, grant, { validUntil: clock.now() + receiptValidMs - 1 });
  assert.deepEqual((await scene.ask(second.bytes)).answer, recorded);
});

test('of the receipts for one number one is signed, until that can be final no more', async () => {
  const { scene, study, grant } = await granted();
  const { ledger, clock } = scene.world;
  ledger.finalise();
  ledger.before = () => new Promise(() => undefined);
  const first = await openRequest(scene, study, grant);
  const submitted = ledger.submitted.length;
  // Whoever asks hangs up before it is answered.
  void Promise.allSettled([scene.send(first.bytes)]);
  for (let i = 1; i <= 20; i++) {
    const { bytes } = await openRequest(scene, study, grant, { validUntil: first.open.validUntil + i });
    void Promise.allSettled([scene.send(bytes)]);
  }
  await settle();
  assert.equal(sessionsOnDisk(scene), 1);
  assert.equal(ledger.submitted.length, submitted + 1);
  await scene.restart();
  const restarted = await openRequest(scene, study, grant, { validUntil: first.open.validUntil + 21 });
  void Promise.allSettled([scene.send(restarted.bytes)]);
  await settle();
  assert.equal(sessionsOnDisk(scene), 1, 'also after a restart');
  clock.advance(receiptValidMs);
  ledger.finalise();
  await settle();
  ledger.before = () => Promise.resolve(undefined);
  const later = await openRequest(scene, study, grant);
  assert.deepEqual((await scene.ask(later.bytes)).answer, recorded);
});

test('an open that is asked for while the one before it is not final yet is recorded with the block after that', async () => {
  const { scene, study, grant } = await granted();
  const { world } = scene;
  const first = await openRequest(scene, study, grant);
  const second = await openRequest(scene, study, grant, { openNo: 2 });
  world.ledger.finalise();
  world.ledger.before = async () => {
    await world.clock.sleep(refusalAnswerMs / 2);
    return undefined;
  };
  const answers = Promise.all([scene.send(first.bytes), scene.send(second.bytes)]);
  await settle();
  for (let i = 0; i < 2; i++) {
    world.clock.advance(refusalAnswerMs / 2);
    await settle();
  }
  assert.deepEqual(await answers, [recorded, recorded]);
  assert.deepEqual(scene.disclosures.list(), []);
});

test('what closes no open, or may be said for long, is not submitted', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  const unopened = await closeRequest(scene, study, open, grantee);
  const before = scene.world.ledger.submitted.length;
  assert.deepEqual((await scene.ask(unopened)).answer, refusedAnswer);
  assert.equal(scene.disclosures.list()[0]?.reason, 'no open receipt');
  assert.equal(scene.world.ledger.submitted.length, before);

  assert.deepEqual((await scene.ask(bytes)).answer, recorded);
  for (const [change, reason] of [
    [{ studyId: bytesOf('another study') }, 'no open receipt'],
    [{ source: 'east' }, 'no open receipt'],
    [{ chain: bytesOf('another chain') }, 'the request is malformed'],
    [{ openId: bytesOf('another open') }, 'no open receipt'],
    [{ validUntil: scene.world.clock.now() + 2 * receiptAheadMsMax }, 'the receipt is valid for too long'],
  ] as const) {
    const request = await closeRequest(scene, study, open, grantee, change);
    assert.deepEqual((await scene.ask(request)).answer, refusedAnswer);
    assert.equal(scene.disclosures.list()[0]?.reason, reason);
  }
  assert.equal(scene.world.ledger.submitted.length, before + 1);
});

test('a closing receipt says how much was sent, and nothing else', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const sizeBucket = Math.ceil(Math.log2(study.bytes));
  for (const wrong of [0, sizeBucket - 1, sizeBucket + 1, 63]) {
    const request = await closeRequest(scene, study, open, grantee, { sizeBucket: wrong });
    assert.deepEqual((await scene.ask(request)).answer, refusedAnswer);
    assert.equal(scene.disclosures.list()[0]?.reason, 'the size is not of what was sent');
  }
  const right = await closeRequest(scene, study, open, grantee);
  assert.equal(decodeReleaseAnswer((await scene.ask(right)).answer)?.kind, 'recorded');
  assert.equal(scene.world.ledger.state().openById(openId(open))?.closed?.sizeBucket, sizeBucket);
});

test('the size is that of the version which was opened, not of what the study has become', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const sizeBucket = Math.ceil(Math.log2(study.bytes));
  await scene.world.keep('1.2.3', 3, new Uint8Array(5_000));
  await scene.world.register(study);
  assert.ok(Math.log2(study.bytes) > sizeBucket);
  const request = await closeRequest(scene, study, open, grantee, { sizeBucket });
  assert.deepEqual((await scene.ask(request)).answer, recorded);
});

test('a session ends with its close; the close is answered as before, also by what a restart finds', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  assert.equal(sessionsOnDisk(scene), 1);
  const request = await closeRequest(scene, study, open, grantee);
  assert.deepEqual((await scene.ask(request)).answer, recorded);
  assert.equal(sessionsOnDisk(scene), 0);
  await scene.restart();
  assert.deepEqual((await scene.ask(request)).answer, recorded);
  assert.deepEqual((await scene.ask(request, 'east')).answer, refusedAnswer);
  assert.deepEqual(
    (await scene.ask(bytes)).answer,
    refusedAnswer,
    'an open that is closed is not opened again',
  );
  assert.equal(scene.sessions.get(openId(open)), undefined);
  assert.notEqual(scene.world.ledger.state().openById(openId(open))?.closed, null);
  assert.deepEqual(idBytes(openId(open)), scene.world.ledger.state().open(study.studyId!, 1)?.openId);
});
