/** The source's side of a release: one answer and one time for every refusal, receipts that survive crashes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { idBytes, openId } from '../../firmware/src/ledger/index.ts';
import type { AccessOpen } from '../../firmware/src/ledger/types.ts';
import { closingDigest, recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import { recheckMs, refusalAnswerMs, releaseRequestBytesMax } from '../../firmware/src/release/limits.ts';
import {
  decodeReleaseAnswer,
  encodeReceiptRequest,
  encodeReleaseAnswer,
} from '../../firmware/src/release/messages.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';
import { bytesOf } from '../fakes/ledger.ts';
import {
  closeRequest,
  exporter,
  granted,
  openRequest,
  refusedAnswer,
  SourceScene,
} from '../support/source-scene.ts';
import { settle, until } from '../support/until.ts';

test('every ground gives one and the same answer after one and the same time; the truth stands in the own console', async () => {
  const { scene, study, grant } = await granted();
  const { world } = scene;
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  const withdrawn = await world.grant(study, 'south');
  await world.revoke(study, withdrawn);
  const later = await world.grant(study, 'south', {
    notBefore: world.clock.now() + 1_000_000,
    expiry: world.clock.now() + 2_000_000,
  });
  const short = await world.grant(study, 'south', { expiry: world.clock.now() + 1_000 });
  const narrow = await world.grant(study, 'south', { amendments: false });
  const resign = async (change: Partial<AccessOpen>, of = grant) =>
    (await openRequest(scene, study, of, change)).bytes;
  const gone = encodeReceiptRequest({ body: open, signature: randomBytes(64), tweak: grantee.tweak });

  const cases: readonly (readonly [ground: string, request: Uint8Array, asker?: string])[] = [
    ['the request is malformed', randomBytes(100)],
    ['the request is malformed', new Uint8Array(0)],
    ['the request is malformed', randomBytes(releaseRequestBytesMax + 1)],
    ['the request is malformed', await resign({ chain: bytesOf('another chain') })],
    ['no such study here', await resign({ studyId: bytesOf('unknown') })],
    ['no grant by the patient', await resign({ basisId: bytesOf('unknown') })],
    ['the grant was withdrawn', await resign({}, withdrawn)],
    ['the grant is not yet valid', await resign({}, later)],
    ['the grant has expired', await resign({}, short)],
    ['the grant is addressed to another institution', bytes, 'east'],
    ['the grant does not cover this version', await resign({ head: bytesOf('a head') }, narrow)],
    ['the receipt is not the next of its grant', await resign({ openNo: 2 })],
    ['the receipt is valid for too long', await resign({ validUntil: world.clock.now() + 3_600_000 })],
    ['the signature is wrong', gone],
    ['no open receipt', await closeRequest(scene, study, open, grantee)],
  ];
  for (const [ground, request, asker] of cases) {
    const { answer, afterMs } = await scene.ask(request, asker);
    assert.deepEqual(answer, refusedAnswer, ground);
    assert.equal(afterMs, refusalAnswerMs, ground);
    const [told] = scene.disclosures.list();
    assert.equal(told?.reason, ground);
    assert.equal(told?.outcome, 'refused');
    assert.equal(told?.institution, asker ?? 'south');
  }
  assert.equal(scene.disclosures.list().length, cases.length);

  // A ledger that is too old, and one that refuses what was admitted, at once or after a while.
  const finalise = world.ledger.finalise.bind(world.ledger);
  world.ledger.finalise = () => ({ kind: 'refused', reason: 'no block' });
  world.clock.advance(60_000);
  const stale = await scene.ask(bytes);
  world.ledger.finalise = finalise;
  assert.deepEqual(stale, { answer: refusedAnswer, afterMs: refusalAnswerMs });
  assert.equal(scene.disclosures.list()[0]?.reason, 'the ledger is not fresh');
  for (const ledgerMs of [0, 400]) {
    world.ledger.before = async () => {
      if (ledgerMs > 0) await world.clock.sleep(ledgerMs);
      return { kind: 'refused', reason: 'opens-exhausted' };
    };
    const refused = await scene.ask(await resign({}));
    assert.deepEqual(refused, { answer: refusedAnswer, afterMs: refusalAnswerMs });
    assert.equal(scene.disclosures.list()[0]?.reason, 'the ledger refused the receipt');
  }
  world.ledger.before = () => undefined;

  // Used up: both opens that the grant allows, then a third.
  assert.equal(decodeReleaseAnswer((await scene.ask(await resign({}))).answer)?.kind, 'recorded');
  assert.equal(decodeReleaseAnswer((await scene.ask(await resign({ openNo: 2 }))).answer)?.kind, 'recorded');
  const usedUp = await scene.ask(await resign({ openNo: 3 }));
  assert.deepEqual(usedUp, { answer: refusedAnswer, afterMs: refusalAnswerMs });
  assert.equal(scene.disclosures.list()[0]?.reason, 'the grant is used up');
});

test('whoever has opened its share of an epoch is refused like anybody else', async () => {
  const { scene, study, grant } = await granted();
  const { bytes } = await openRequest(scene, study, grant);
  const epoch = scene.world.ledger.state().epoch().number;
  while (scene.shares.take('south', epoch));
  const { answer, afterMs } = await scene.ask(bytes);
  assert.deepEqual(answer, refusedAnswer);
  assert.equal(afterMs, refusalAnswerMs);
  assert.equal(scene.disclosures.list()[0]?.reason, 'the institution has opened too much in this epoch');
});

test('a receipt is final before it is answered, and its session is kept before it is sent', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes } = await openRequest(scene, study, grant);
  let sessionsAtSubmission = 0;
  scene.world.ledger.before = () => {
    sessionsAtSubmission = [...scene.store.values.keys()].filter((key) => key.startsWith('open/')).length;
    return undefined;
  };
  const { answer, afterMs } = await scene.ask(bytes);
  assert.equal(decodeReleaseAnswer(answer)?.kind, 'recorded');
  assert.equal(afterMs, 0, 'a receipt waits for nothing but the ledger');
  assert.equal(sessionsAtSubmission, 1);
  assert.ok(study.studyId !== undefined);
  assert.equal(
    toHex(scene.world.ledger.state().open(study.studyId, 1)?.openId ?? new Uint8Array(0)),
    openId(open),
  );
});

test('a request that is repeated because its answer was lost is answered as before, once on the ledger', async () => {
  const { scene, study, grant } = await granted();
  const { bytes } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const submissions = scene.world.ledger.submitted.length;
  for (const restarted of [false, true]) {
    if (restarted) await scene.restart();
    assert.equal(decodeReleaseAnswer((await scene.ask(bytes)).answer)?.kind, 'recorded');
    assert.equal(scene.world.ledger.submitted.length, submissions);
  }
  assert.deepEqual(
    (await scene.ask(bytes, 'east')).answer,
    refusedAnswer,
    'to the member that asked first only',
  );
});

for (const [name, before] of [
  ['before the receipt reaches the ledger', () => undefined],
  [
    'after it is final, before the answer',
    (scene: SourceScene, transaction: Uint8Array) => scene.world.ledger.finalise(transaction),
  ],
] as const) {
  test(`a crash ${name} leaves nothing that the next request cannot finish`, async () => {
    const { scene, study, grant } = await granted();
    const { open, bytes, grantee } = await openRequest(scene, study, grant);
    scene.world.ledger.before = (transaction) => {
      before(scene, transaction);
      return new Promise(() => undefined);
    };
    const lost = scene.send(bytes);
    await until(() => scene.world.ledger.submitted.length === 2, 'the submission');
    scene.world.clock.advance(0);
    scene.world.ledger.before = () => undefined;
    await scene.restart();
    const isFinal = scene.world.ledger.state().study(study.studyId!)?.opens === 1;
    const { frames } = await scene.stream(open, grantee);
    assert.equal(frames !== undefined, isFinal, 'no byte without a final receipt, whatever the session says');
    await frames?.[Symbol.asyncIterator]().return?.();
    assert.equal(decodeReleaseAnswer((await scene.ask(bytes)).answer)?.kind, 'recorded');
    assert.equal(scene.world.ledger.state().study(study.studyId!)?.opens, 1);
    const again = await scene.stream(open, grantee);
    assert.ok(again.frames !== undefined);
    lost.catch(() => undefined);
  });
}

test('a stream needs the receipt, the member, this very connection and the grantee’s key', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  assert.equal((await scene.stream(open, grantee)).frames, undefined, 'before the receipt');
  await scene.ask(bytes);
  assert.equal(
    (await scene.stream(open, grantee, { institution: 'east' })).frames,
    undefined,
    'another member',
  );
  const relayed = await scene.stream(open, grantee, { exporter: bytesOf('other connection') });
  assert.equal(relayed.frames, undefined, 'a request relayed from another connection');
  const other = await scene.world.grant(study, 'south');
  const otherKey = recogniseGrant(scene.world.account('south'), other);
  assert.ok(otherKey !== undefined);
  assert.equal((await scene.stream(open, otherKey)).frames, undefined, 'the key of another grant');
  for (const body of [randomBytes(80), new Uint8Array(0)]) {
    const call = { institution: 'south', exporter, body, cut: () => undefined };
    assert.equal(await scene.source.serve(call), undefined);
  }
  const { frames } = await scene.stream(open, grantee);
  assert.ok(frames !== undefined);
  let bytesSent = 0;
  for await (const frame of frames) bytesSent += frame.length;
  const [told] = scene.disclosures.list();
  assert.equal(told?.outcome, 'released');
  assert.deepEqual([told?.objects, told?.bytes, told?.studyId], [2, bytesSent, study.studyId]);
  assert.match(told?.reason ?? '', /^grant [0-9a-f]{8} by the patient$/);
});

test('after the closing receipt nothing is streamed; closing again is answered as before', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const close = await closeRequest(scene, study, open, grantee);
  assert.deepEqual((await scene.ask(close, 'east')).answer, refusedAnswer);
  assert.equal(decodeReleaseAnswer((await scene.ask(close)).answer)?.kind, 'recorded');
  const submissions = scene.world.ledger.submitted.length;
  assert.equal(decodeReleaseAnswer((await scene.ask(close)).answer)?.kind, 'recorded');
  assert.equal(scene.world.ledger.submitted.length, submissions);
  assert.equal((await scene.stream(open, grantee)).frames, undefined);
});

test('a closing receipt over anything but what was sent is refused', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const wrong = await closeRequest(scene, study, open, grantee, {
    digest: closingDigest(grantee.tweak, idBytes(openId(open)), randomBytes(32)),
  });
  assert.deepEqual((await scene.ask(wrong)).answer, refusedAnswer);
  assert.equal(scene.disclosures.list()[0]?.reason, 'the digest is not of what was sent');
  const otherTweak = { ...grantee, tweak: randomBytes(32) };
  assert.deepEqual(
    (await scene.ask(await closeRequest(scene, study, open, otherTweak))).answer,
    refusedAnswer,
  );
  const right = await scene.ask(await closeRequest(scene, study, open, grantee));
  assert.equal(decodeReleaseAnswer(right.answer)?.kind, 'recorded');
});

test('a stream that is asked for after a revocation is refused, with the ground in the own console', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  await scene.world.revoke(study, 'all');
  assert.equal((await scene.stream(open, grantee)).frames, undefined);
  const [told] = scene.disclosures.list();
  assert.deepEqual([told?.outcome, told?.reason], ['refused', 'the grant was withdrawn']);
});

test('a member that is suspended is refused like any other, and its running stream is cut', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  scene.suspended.add('south');
  assert.deepEqual(await scene.ask(bytes), { answer: refusedAnswer, afterMs: refusalAnswerMs });
  assert.equal(scene.disclosures.list()[0]?.reason, 'the institution did not attest');
  scene.suspended.clear();
  await scene.ask(bytes);
  const { frames, cuts } = await scene.stream(open, grantee);
  assert.ok(frames !== undefined);
  const iterator = frames[Symbol.asyncIterator]();
  await iterator.next();
  scene.suspended.add('south');
  scene.world.clock.advance(recheckMs);
  assert.deepEqual(cuts, ['cut']);
  await assert.rejects(async () => iterator.next(), { code: 'NOT_RELEASED' });
  assert.equal((await scene.stream(open, grantee)).frames, undefined);
});

test('a stream that a revocation cuts stands in the console as cut, with what had left', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const { frames, cuts } = await scene.stream(open, grantee);
  assert.ok(frames !== undefined);
  const iterator = frames[Symbol.asyncIterator]();
  let sent = 0;
  for (let i = 0; i < 3; i++) {
    const next = await iterator.next();
    assert.ok(next.done !== true);
    sent += next.value.length;
  }
  assert.equal(scene.disclosures.list()[0]?.outcome, 'running');
  await scene.world.revoke(study, 'all');
  scene.world.clock.advance(recheckMs);
  assert.deepEqual(cuts, ['cut']);
  await assert.rejects(async () => iterator.next(), { code: 'NOT_RELEASED' });
  const [told] = scene.disclosures.list();
  assert.deepEqual([told?.outcome, told?.reason], ['failed', 'cut: the grant was withdrawn']);
  assert.equal(told?.bytes, sent);
});

test('what ran when the box was killed is told as failed after its start', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  await scene.ask(bytes);
  const { frames } = await scene.stream(open, grantee);
  await frames?.[Symbol.asyncIterator]().next();
  await scene.restart();
  const [told] = scene.disclosures.list();
  assert.deepEqual([told?.outcome, told?.reason], ['failed', 'the box was stopped']);
});

test('no disclosure names a patient', async () => {
  const { scene, study, grant } = await granted();
  const { bytes } = await openRequest(scene, study, grant);
  await scene.ask(bytes, 'east');
  await scene.ask(bytes);
  const told = JSON.stringify(scene.disclosures.list());
  assert.ok(!told.includes('Canary') && !told.includes('N-1001'));
});

test('a grant that reaches the source after its grantee has asked is not refused', async () => {
  const scene = await SourceScene.start();
  const { world } = scene;
  const study = await world.registeredStudy('1.2.3', [randomBytes(50)]);
  world.ledger.finalise();
  // What the grantee has seen already, and this box not yet.
  const finalise = world.ledger.finalise.bind(world.ledger);
  const late: Uint8Array[] = [];
  world.ledger.finalise = (...transactions) => {
    late.push(...transactions);
    return { kind: 'final', height: 0, time: 0 };
  };
  const grant = await world.grant(study, 'south');
  world.ledger.finalise = finalise;

  const { bytes } = await openRequest(scene, study, grant);
  const waiting = scene.send(bytes);
  await settle();
  world.clock.advance(refusalAnswerMs / 2);
  // A block that brings something else changes nothing; the one with the grant does.
  world.ledger.finalise();
  await settle();
  world.ledger.finalise(...late);
  assert.deepEqual(await waiting, encodeReleaseAnswer({ kind: 'recorded' }));
  assert.deepEqual(scene.disclosures.list(), []);
});

test('what the grantee holds is left out only if it is the beginning of the version that is released', async () => {
  const { scene, study, grant } = await granted();
  const { open, bytes, grantee } = await openRequest(scene, study, grant);
  assert.deepEqual(await scene.send(bytes), encodeReleaseAnswer({ kind: 'recorded' }));
  const [first, second] = study.objects;
  assert.ok(first !== undefined && second !== undefined);
  const cases: readonly (readonly [held: readonly ObjectKept[], chunks: number])[] = [
    [[], 2],
    [[first], 1],
    [[first, second], 0],
    [[second], 2],
    [[second, first], 2],
    [[first, second, first], 2],
  ];
  for (const [held, chunks] of cases) {
    const { frames } = await scene.stream(open, grantee, { held });
    assert.ok(frames !== undefined);
    let count = 0;
    for await (const frame of frames) count += frame.length > 0 ? 1 : 0;
    assert.equal(count - 2, chunks, 'after head and manifest');
  }
});
