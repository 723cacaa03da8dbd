/** What an association is given is held against what it has cost: whatever costs the event loop more than its bytes do. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeText } from '../../firmware/dimse/character-set.ts';
import { commandField, encodeCommand } from '../../firmware/dimse/command.ts';
import { decodeLongDataSet, encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { limits, type StoreSink, uids } from '../../firmware/dimse/index.ts';
import { type DataSetFate, MessageReader, type MessageTarget } from '../../firmware/dimse/message-reader.ts';
import { atHand } from '../../firmware/dimse/message-sender.ts';
import { Turns, WorkAccount } from '../../firmware/dimse/turns.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import type { Clock, DataSet } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { countingTurns } from '../support/counting-turns.ts';
import {
  ctImageStorage,
  dataPdu,
  echoCommand,
  MemoryStore,
  pdv,
  type RawPeer,
  settle,
  storeCommand,
  storeMessage,
  until,
} from '../support/dimse-peer.ts';
import { associated, started } from '../support/dimse-scp-fixture.ts';
import {
  all,
  commitment,
  getting,
  level,
  opened,
  type Perform,
  service,
  studyRootGet,
} from '../support/dimse-service-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

const options = { timeout: 20_000 };
const { commandCost, discardedBytesPerCost, elementCost, elementsWithoutRestMax, heldBytesPerCost } = limits;
const { notKeptCost, operationCost } = limits;
const { receiveBufferBytes, turnCostMax, turnMs } = limits;
const { explicitVrLittleEndian, implicitVrLittleEndian } = uids;

const itemsOf = (count: number): DataSet => ({
  '00081199': { vr: 'SQ', values: Array.from({ length: count }, () => ({})) },
});

function countAnswers(peer: RawPeer): { readonly count: number } {
  const answers = { count: 0 };
  void (async () => {
    while ((await peer.next()) !== undefined) answers.count += 1;
  })();
  return answers;
}

test('who rests waits for what it has cost, the longer the more others wait', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock);
  const over: string[] = [];
  const spend = (name: string, cost: number): void => {
    const account = new WorkAccount(turns);
    account.charge(turnCostMax - 1);
    assert.equal(account.rest(), undefined, 'none is due yet');
    account.charge(1 + cost - turnCostMax);
    void account.rest()?.then(() => over.push(name));
    assert.equal(account.rest(), undefined, 'it is counted anew');
  };
  spend('a', 4 * turnCostMax);
  spend('b', turnCostMax);
  const after = async (ms: number): Promise<string> => {
    clock.advance(ms);
    await settle();
    return over.join('');
  };
  assert.equal(await after(2 * turnMs - 1), '');
  assert.equal(await after(1), 'b', 'what the other has had does not count');
  assert.equal(await after(2 * turnMs - 1), 'b');
  assert.equal(await after(1), 'ba');
  spend('c', turnCostMax);
  assert.equal(await after(turnMs), 'bac', 'those who had their turn are not waited for');
});

const action = encodeCommand({
  commandField: commandField.actionRequest,
  hasDataSet: true,
  messageId: 1,
  requestedSopClassUid: commitment,
  requestedSopInstanceUid: '1.2.3',
  actionTypeId: 1,
});

/** Its requests come on context 5. */
async function associatedForCommitment(clock: Clock, perform: Perform): Promise<RawPeer> {
  const committing = service(perform, { sopClasses: [commitment], permission: 'commitment' });
  const scp = await started(new MemoryStore(), { clock, services: [committing] });
  const contexts = [{ id: 5, abstractSyntax: commitment, transferSyntaxes: [implicitVrLittleEndian] }];
  return associated(scp, { contexts });
}

test('an operation costs more than its command', options, async () => {
  const clock = new ManualClock();
  const peer = await associatedForCommitment(clock, () => Promise.resolve({ status: 0 }));
  const request = concatBytes(
    dataPdu(pdv(5, 'command', true, action)),
    dataPdu(pdv(5, 'data', true, encodeDataSet(itemsOf(0), implicitVrLittleEndian))),
  );
  const answers = countAnswers(peer);
  peer.send(...Array.from({ length: 100 }, () => request));
  const atOneGo = Math.ceil(turnCostMax / (operationCost + commandCost));
  await until(() => answers.count > 0);
  await settle();
  assert(answers.count <= atOneGo, `${answers.count} operations at one go`);
  while (answers.count < 100) {
    await settle();
    clock.advance(2 * turnMs);
  }
});

test('requests that are refused take turns for what it has cost to read them', options, async () => {
  const clock = new ManualClock();
  const perform = (): never => assert.fail();
  const peer = await associatedForCommitment(clock, perform);
  // Three of them are as much as may be had at one go.
  const items = (0.4 * turnCostMax) / elementCost;
  assert(items < elementsWithoutRestMax);
  // Ends within an element.
  const cut = concatBytes(encodeDataSet(itemsOf(items), implicitVrLittleEndian), Uint8Array.of(8));
  const request = concatBytes(dataPdu(pdv(5, 'command', true, action)), dataPdu(pdv(5, 'data', true, cut)));
  const answers = countAnswers(peer);
  peer.send(...Array.from({ length: 20 }, () => request));
  for (const expected of [3, 6, 9]) {
    await until(() => answers.count >= expected);
    await settle();
    assert.equal(answers.count, expected);
    clock.advance(2 * turnMs);
  }
});

test('a long data set rests as its association must, and others have theirs meanwhile', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock);
  const account = new WorkAccount(turns);
  const bytes = encodeDataSet(itemsOf(10_000), implicitVrLittleEndian);
  const decoded: string[] = [];
  // Whatever others have had.
  void turns.next(100 * turnCostMax);
  const decoding = decodeLongDataSet(bytes, implicitVrLittleEndian, account).then(({ kind }) =>
    decoded.push(kind),
  );
  const goes = Math.floor((10_000 * elementCost) / turnCostMax);
  for (let go = 0; go < goes; go++) {
    await settle();
    assert.deepEqual(decoded, [], `after ${go} rests`);
    clock.advance(turnMs);
  }
  await decoding;
  assert.deepEqual(decoded, ['data-set']);
  const short = encodeDataSet(itemsOf(10), implicitVrLittleEndian);
  const stuck = decodeLongDataSet(bytes, implicitVrLittleEndian, new WorkAccount(turns));
  const { turns: waited } = await countingTurns(() =>
    decodeLongDataSet(short, implicitVrLittleEndian, new WorkAccount(turns)),
  );
  assert.equal(waited, 0, 'a short one does not queue behind it');
  const isOver = stuck.then(() => true);
  while (!(await Promise.race([isOver, settle().then(() => false)]))) clock.advance(turnMs);
});

test('a data set of 900 elements does not wait for all that are longer, and none waits for ever', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock);
  const ended: string[] = [];
  const decode = (name: string, items: number): void => {
    const bytes = encodeDataSet(itemsOf(items), implicitVrLittleEndian);
    const decoding = decodeLongDataSet(bytes, implicitVrLittleEndian, new WorkAccount(turns));
    void decoding.then(() => ended.push(name));
  };
  for (let n = 0; n < 20; n++) decode(`long ${n}`, 20_000);
  /** Turns until it has ended; those who come meanwhile are as short as it. */
  const turnsUntil = async (name: string, others: () => void = () => undefined): Promise<number> => {
    for (let waited = 0; waited < 100; waited++) {
      // What has no debts goes on with the next turns of the loop.
      for (let n = 0; n < 100; n++) await nextTurn();
      if (ended.includes(name)) return waited;
      others();
      clock.advance(turnMs);
    }
    return assert.fail(`${name} has not ended`);
  };
  await settle();
  decode('short', 900);
  const waited = await turnsUntil('short');
  assert(waited <= 4, `it waited for ${waited} turns`);
  const costOfLong = (20_000 * elementCost) / turnCostMax;
  const delayed = await turnsUntil('long 0', () => decode('another', 900));
  assert(delayed <= 3 * costOfLong, `the oldest waited for ${delayed} turns`);
});

for (const fragmentBytes of [128, 65_000]) {
  test(
    `data in fragments of ${fragmentBytes} bytes that nobody wants are read in turns`,
    options,
    async () => {
      const clock = new ManualClock();
      const scp = await started(new MemoryStore(), { clock });
      const peer = await associated(scp);
      const fragment = pdv(1, 'data', false, new Uint8Array(fragmentBytes));
      const perPdu = Math.floor(130_000 / fragment.length);
      const pdu = dataPdu(...Array.from({ length: perPdu }, () => fragment));
      const read = mock.method(MessageReader.prototype, 'read', {}).mock;
      try {
        peer.send(dataPdu(pdv(1, 'command', true, storeCommand(1, 'no UID'))));
        for (let sent = 0; sent < 4 * turnCostMax * discardedBytesPerCost; sent += pdu.length) peer.send(pdu);
        const bytesMax = turnCostMax * discardedBytesPerCost + receiveBufferBytes;
        const bytesRead = (): number =>
          read.calls.reduce((sum, { arguments: [{ bytes }] }) => sum + bytes.length, 0);
        for (const turns of [1, 2]) {
          await until(() => read.callCount() > 0);
          await settle();
          const cost = read.callCount() + bytesRead() / discardedBytesPerCost;
          assert(cost <= turns * (turnCostMax + commandCost + 100), `${read.callCount()} fragments at once`);
          assert(bytesRead() <= turns * bytesMax, `${bytesRead()} bytes at one go`);
          const before = read.callCount();
          clock.advance(2 * turnMs);
          await until(() => read.callCount() > before);
        }
      } finally {
        read.restore();
      }
    },
  );
}

test('only an object that is kept pays its command back; what is held or discarded costs by its bytes', async () => {
  const costOf = async (fate: DataSetFate, bytes: Uint8Array): Promise<number> => {
    const account = new WorkAccount(new Turns({ ...realClock, sleep: () => Promise.resolve() }));
    const charge = mock.method(account, 'charge').mock;
    const giveBack = mock.method(account, 'giveBack').mock;
    const dataSet = { fate, write: () => undefined, end: () => undefined };
    const target: MessageTarget = {
      command: () => assert.fail(),
      commandWithDataSet: () => Promise.resolve(dataSet),
      violation: (reason) => assert.fail(reason),
    };
    const reader = new MessageReader(target, account);
    await reader.read({ contextId: 1, command: true, last: true, bytes: storeCommand() });
    for (let at = 0; at < bytes.length; at += 65_536) {
      const last = at + 65_536 >= bytes.length;
      await reader.read({ contextId: 1, command: false, last, bytes: bytes.subarray(at, at + 65_536) });
    }
    const sumOf = (calls: readonly { readonly arguments: readonly [number] }[]): number =>
      calls.reduce((sum, { arguments: [cost] }) => sum + cost, 0);
    return sumOf(charge.calls) - sumOf(giveBack.calls);
  };
  for (const bytes of [limits.fragmentBytesMin, limits.identifierBytesMax]) {
    const data = new Uint8Array(bytes);
    assert.equal(await costOf('kept', data), 0);
    assert.equal(await costOf('held', data), commandCost + bytes / heldBytesPerCost);
    assert.equal(await costOf('discarded', data), commandCost + bytes / discardedBytesPerCost);
  }
  const restMs = (turnMs * limits.identifierBytesMax) / heldBytesPerCost / turnCostMax;
  assert(restMs <= 100, `the longest request rests for ${restMs} ms`);
});

test('a long command costs more than a usual one', async () => {
  const account = new WorkAccount(new Turns(new ManualClock()));
  const charge = mock.method(account, 'charge').mock;
  const target: MessageTarget = {
    command: () => undefined,
    commandWithDataSet: () => assert.fail(),
    violation: (reason) => assert.fail(reason),
  };
  const reader = new MessageReader(target, account);
  const costOf = async (bytes: Uint8Array, pieces: number): Promise<number> => {
    charge.resetCalls();
    const size = Math.ceil(bytes.length / pieces);
    for (let at = 0; at < bytes.length; at += size) {
      const last = at + size >= bytes.length;
      await reader.read({ contextId: 1, command: true, last, bytes: bytes.subarray(at, at + size) });
    }
    return charge.calls.reduce((sum, { arguments: [cost] }) => sum + cost, 0);
  };
  assert.equal(await costOf(echoCommand(), 1), commandCost);
  const long = encodeCommand({
    commandField: commandField.echoRequest,
    hasDataSet: false,
    messageId: 1,
    affectedSopInstanceUid: '1'.repeat(16_000),
  });
  for (const pieces of [1, 4]) assert((await costOf(long, pieces)) > commandCost + 16_000 / 150);
});

test('objects that are kept cost nobody a turn', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store, { clock: new ManualClock() });
  const peer = await associated(scp);
  const objects = (2 * turnCostMax) / commandCost;
  const bytes = new Uint8Array(20_000);
  peer.send(...Array.from({ length: objects }, (_, n) => storeMessage(bytes, n + 1)));
  for (let n = 0; n < objects; n++) assert.equal(await peer.status(), 0);
  assert.equal(store.kept.length, objects);
});

for (const [what, outcome] of [
  ['are held already', { status: 0, wasHeld: true }],
  ['cannot be kept', { status: 0xa700 }],
] as const)
  test(`who goes on sending objects that ${what} takes turns`, options, async () => {
    const store = new MemoryStore();
    store.outcome = outcome;
    const clock = new ManualClock();
    const peer = await associated(await started(store, { clock }));
    const objects = 100;
    const answers = countAnswers(peer);
    const bytes = new Uint8Array(limits.fragmentBytesMin);
    peer.send(...Array.from({ length: objects }, (_, n) => storeMessage(bytes, n + 1)));
    const atOneGo = Math.ceil(turnCostMax / notKeptCost);
    for (let most = atOneGo; most < objects; most += atOneGo) {
      await until(() => answers.count >= most);
      await settle();
      assert.equal(answers.count, most);
      clock.advance(2 * turnMs);
    }
  });

test('answers to the sub-operations of a C-GET cost who sends them nothing', options, async () => {
  const objects = (2 * turnCostMax) / commandCost;
  const retrieving = getting(async (operation) => {
    for (let n = 0; n < objects; n++) {
      const object = {
        sopClassUid: ctImageStorage,
        sopInstanceUid: `1.2.3.${n}`,
        transferSyntaxUid: explicitVrLittleEndian,
      };
      assert.equal((await operation.store(object, atHand(Uint8Array.of(1))))?.status, 0);
    }
    return { status: 0 };
  });
  const scp = await started(new MemoryStore(), { clock: new ManualClock(), services: [retrieving] });
  const taking: StoreSink = {
    write: () => undefined,
    finish: () => Promise.resolve({ status: 0 }),
    abort: () => Promise.resolve(),
  };
  const association = await opened(scp, {
    storage: { store: () => taking, failed: (error) => assert.fail(String(error)) },
  });
  const answers = await all(association.get(studyRootGet, level));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [0],
  );
});

test('values that are refused before they are decoded cost nothing', async () => {
  const costOf = async (header: string, length: number): Promise<number> => {
    const head = Buffer.from(header, 'hex');
    head.writeUInt32LE(length, 4);
    const account = new WorkAccount(new Turns(new ManualClock()));
    const charge = mock.method(account, 'charge').mock;
    const bytes = concatBytes(head, new Uint8Array(length));
    assert.equal((await decodeLongDataSet(bytes, implicitVrLittleEndian, account)).kind, 'malformed');
    return charge.calls.reduce((sum, { arguments: [cost] }) => sum + cost, 0);
  };
  assert.equal(await costOf('2800100000000000', 65_533), elementCost, 'US of an odd length');
  assert.equal(await costOf('1000100000000000', limits.elementTextBytesMax + 2), elementCost, 'text');
});

test('commands that come in several fragments are gathered in one buffer', options, async () => {
  const scp = await started(new MemoryStore());
  const peer = await associated(scp);
  const echo = echoCommand();
  const split = dataPdu(
    pdv(3, 'command', false, echo.subarray(0, 10)),
    pdv(3, 'command', true, echo.subarray(10)),
  );
  const set = mock.method(Uint8Array.prototype, 'set', {}).mock;
  const buffers = new Set<unknown>();
  try {
    peer.send(...Array.from({ length: 50 }, () => split));
    for (let n = 0; n < 50; n++) assert.equal(await peer.status(), 0);
    for (const { this: written } of set.calls)
      if (written instanceof Uint8Array && written.length === limits.commandBytesMax)
        buffers.add(written.buffer);
  } finally {
    set.restore();
  }
  assert.equal(buffers.size, 1);
});

test('text that switches its set with each character costs no call of a decoder for each', () => {
  const bytes = Buffer.from('\x1b-A\xe4\x1b-L\xd4'.repeat(500), 'latin1');
  const text = (): string => decodeText(bytes, 'ISO 2022 IR 100\\ISO 2022 IR 144');
  assert.equal(text(), 'äд'.repeat(500));
  const decode = mock.method(TextDecoder.prototype, 'decode', {}).mock;
  try {
    assert.equal(text(), 'äд'.repeat(500));
    assert.equal(decode.callCount(), 0);
  } finally {
    decode.restore();
  }
});
