/** Requests with long data sets: performed like others, but nobody else waits while they are decoded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandField } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { HeldIdentifiers } from '../../firmware/dimse/held-identifiers.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { elementsWithoutRestMax, identifierBytesHeldMax } from '../../firmware/dimse/limits.ts';
import { type DispatchLink, ServiceDispatch } from '../../firmware/dimse/service-dispatch.ts';
import type { ServiceOperation } from '../../firmware/dimse/service.ts';
import { Turns, WorkAccount } from '../../firmware/dimse/turns.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { countingTurns } from '../support/counting-turns.ts';
import { MemoryStore, until } from '../support/dimse-peer.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import { all, opened, service, studyRootFind } from '../support/dimse-service-fixture.ts';

const options = { timeout: 20_000 };
const context = {
  abstractSyntax: studyRootFind,
  transferSyntax: uids.implicitVrLittleEndian,
  peerIsScu: true,
  peerIsScp: false,
};
const command = { commandField: commandField.findRequest, hasDataSet: true, messageId: 1 };
const listOf = (length: number): DataSet => ({
  '00081199': {
    vr: 'SQ',
    values: Array.from({ length }, (_, index) => ({ '00081155': { vr: 'UI', values: [`1.2.${index}`] } })),
  },
});
assert.ok(2_000 > elementsWithoutRestMax);
const long = encodeDataSet(listOf(2_000), context.transferSyntax);

/** The dispatch of one association whose service takes whatever comes. */
function dispatching() {
  const performed: ServiceOperation[] = [];
  const identifiers = new HeldIdentifiers();
  const link: DispatchLink = {
    services: [
      service((operation) => {
        performed.push(operation);
        return new Promise(() => undefined);
      }),
    ],
    identifiers,
    account: new WorkAccount(new Turns(realClock)),
    may: () => true,
    extendedNegotiation: () => undefined,
    respond: () => assert.fail(),
    performed: () => assert.fail(),
    failed: (error) => assert.fail(String(error)),
    giveUp: assert.fail,
    nextMessageId: () => 1,
    storeContext: () => undefined,
    get peer() {
      return assert.fail();
    },
    get clock() {
      return assert.fail();
    },
    get sender() {
      return assert.fail();
    },
  };
  const dispatch = new ServiceDispatch(link);
  const dispatched = dispatch.find(1, context, command);
  assert.ok(dispatched !== undefined);
  /** All the room is free: nothing is held any more. */
  const isFree = (): boolean => {
    const free = identifiers.take(identifierBytesHeldMax);
    if (free) identifiers.give(identifierBytesHeldMax);
    return free;
  };
  return { dispatch, gathered: dispatch.gather(dispatched), performed, isFree };
}

test('a long data set holds back its peer until its operation runs; a short one runs at once', async () => {
  const waiting = dispatching();
  waiting.gathered.write(long);
  const held = waiting.gathered.end();
  assert.ok(held instanceof Promise);
  assert.deepEqual(waiting.performed, []);
  await held;
  assert.deepEqual(waiting.dispatch.running?.dataSet, listOf(2_000));

  const short = dispatching();
  short.gathered.write(encodeDataSet(listOf(1), context.transferSyntax));
  await countingTurns(async () => {
    await short.gathered.end();
    assert.deepEqual(short.dispatch.running?.dataSet, listOf(1));
  }).then(({ turns }) => {
    assert.equal(turns, 0);
  });
});

test('an association that ends while its data set is decoded leaves no operation, and no room once it is', async () => {
  const { dispatch, gathered, performed, isFree } = dispatching();
  gathered.write(long);
  const held = gathered.end();
  dispatch.end(new Error('the peer is gone'));
  assert.equal(isFree(), false, 'it is held as long as it is decoded');
  await held;
  assert.deepEqual([dispatch.running, performed, isFree()], [undefined, [], true]);
});

test('what follows a long request is heard after it: a C-CANCEL ends its operation', options, async () => {
  const seen: (DataSet | undefined)[] = [];
  const finding = service(
    (operation) =>
      new Promise((_resolve, reject) => {
        seen.push(operation.dataSet);
        operation.signal.addEventListener('abort', () => reject(operation.signal.reason as Error));
      }),
  );
  const association = await opened(await started(new MemoryStore(), { services: [finding] }));
  const cancelling = new AbortController();
  const found = all(association.find(studyRootFind, listOf(20_000), cancelling.signal));
  await until(() => seen.length > 0);
  cancelling.abort(new Error('enough'));
  await assert.rejects(found, /enough/);
  assert.deepEqual(seen, [listOf(20_000)]);
  await association.release();
});
