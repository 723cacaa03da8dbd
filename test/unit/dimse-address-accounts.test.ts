/** Who comes and goes is made to wait for what its connections have cost, and nobody at another address is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressAccounts } from '../../firmware/dimse/address-accounts.ts';
import { limits } from '../../firmware/dimse/index.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { Turns } from '../../firmware/dimse/turns.ts';
import {
  associateRequest,
  dataPdu,
  echoCommand,
  MemoryStore,
  pdv,
  RawPeer,
  settle,
  storeMessage,
  until,
} from '../support/dimse-peer.ts';
import { associated, closing, started } from '../support/dimse-scp-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

const options = { timeout: 20_000 };
const { addressesKeptMax, commandCost, connectionCost, presentationContextsMax, turnCostMax, turnMs } =
  limits;

/** As much as fits an A-ASSOCIATE-RQ: 128 contexts, each with 90 transfer syntaxes that nobody knows. */
const dearRequest = encodeAssociateRequest(
  associateRequest({
    calledAeTitle: 'NOBODY',
    contexts: Array.from({ length: presentationContextsMax }, (_, index) => ({
      id: 2 * index + 1,
      abstractSyntax: '1.2',
      transferSyntaxes: Array.from({ length: 90 }, () => '1.3'),
    })),
  }),
);

test(
  'what an A-ASSOCIATE-RQ costs is rested for before the next connection of its address is read',
  options,
  async () => {
    const clock = new ManualClock();
    const scp = await started(new MemoryStore(), { clock });
    let answers = 0;
    const ask = async (): Promise<void> => {
      const peer = closing(await RawPeer.connect(scp.port));
      peer.send(dearRequest);
      assert.equal((await peer.next())?.kind, 'associate-reject');
      answers += 1;
    };
    await ask();
    const others = Promise.all([ask(), ask(), ask()]);
    for (const expected of [1, 2, 3]) {
      await settle();
      assert.equal(answers, expected, 'it waits');
      const elsewhere = closing(await RawPeer.associate(scp.port, {}, `127.0.0.${expected + 1}`));
      elsewhere.send(storeMessage(new Uint8Array(20)));
      assert.equal(await elsewhere.status(), 0, 'nobody else does');
      clock.advance(10 * turnMs);
      await until(() => answers > expected);
    }
    await others;
  },
);

test('who makes connections and gives them up waits for what they have cost', options, async () => {
  const clock = new ManualClock();
  const account = new AddressAccounts(new Turns(clock)).of('192.0.2.1');
  const asked = Promise.resolve();
  const free = Math.ceil(turnCostMax / connectionCost) - 1;
  for (let time = 1; time <= free; time++) assert.equal(account.connected(asked), undefined);
  let read = 0;
  for (let time = 1; time <= 10; time++)
    void account.connected(asked)?.then(() => {
      read += 1;
    });
  // Ten of them, and the four before them.
  const restMs = (turnMs * (free + 10) * connectionCost) / turnCostMax;
  for (let ms = 1; ms < restMs; ms++) {
    clock.advance(1);
    await settle();
    assert.ok(read < 10, `all are read after ${ms} ms`);
  }
  clock.advance(1);
  await settle();
  assert.equal(read, 10);
  assert.equal(account.connected(asked), undefined, 'all is paid');
});

test('a connection that asks slowly holds up the next of its address for a turn at most', async () => {
  const clock = new ManualClock();
  const account = new AddressAccounts(new Turns(clock)).of('192.0.2.1');
  const slow = new Promise<void>(() => undefined);
  account.charge(turnCostMax);
  let read = 0;
  for (let time = 1; time <= 2; time++)
    void account.connected(slow)?.then(() => {
      read += 1;
    });
  // What was charged before, and the two connections.
  const restMs = turnMs * (1 + (2 * connectionCost) / turnCostMax);
  for (const [afterMs, expected] of [
    [restMs, 1],
    [turnMs - 1, 1],
    [1, 2],
  ] as const) {
    clock.advance(afterMs);
    await settle();
    assert.equal(read, expected);
  }
});

test(
  'what associations owe at their end is owed by their AE title at their address, and by nobody else',
  options,
  async () => {
    const clock = new ManualClock();
    const scp = await started(new MemoryStore(), { clock });
    // Each owes a little less than has to be rested for.
    const echoes = Math.floor((turnCostMax - 1) / commandCost);
    for (let time = 1; time <= 2; time++) {
      const peer = await associated(scp);
      for (let number = 0; number < echoes; number++) {
        peer.send(dataPdu(pdv(3, 'command', true, echoCommand())));
        assert.equal(await peer.status(), 0);
      }
      peer.close();
      await until(() => scp.associations === 0);
      await settle();
    }
    let isAnswered = false;
    const again = associated(scp).then(() => {
      isAnswered = true;
    });
    await settle();
    await associated(scp, { callingAeTitle: 'ANOTHER' });
    closing(await RawPeer.associate(scp.port, {}, '127.0.0.2'));
    await settle();
    assert.equal(isAnswered, false);
    clock.advance(3 * turnMs);
    await again;
  },
);

test('a connection that says nothing is in nobody’s way, however many there are', options, async () => {
  const clock = new ManualClock();
  const connectionsPendingMax = 20;
  const scp = await started(new MemoryStore(), { clock, limits: { connectionsPendingMax } });
  const silent = await Promise.all(Array.from({ length: 100 }, () => RawPeer.connect(scp.port)));
  silent.forEach(closing);
  await settle();
  const peer = await associated(scp);
  peer.send(storeMessage(new Uint8Array(20)));
  assert.equal(await peer.status(), 0);
});

test('who has asked and waits for its turn gives way to no silent connection', options, async () => {
  const clock = new ManualClock();
  const scp = await started(new MemoryStore(), { clock, limits: { connectionsPendingMax: 20 } });
  const dear = closing(await RawPeer.connect(scp.port));
  dear.send(dearRequest);
  assert.equal((await dear.next())?.kind, 'associate-reject');
  let isAnswered = false;
  const waiting = associated(scp).then(() => {
    isAnswered = true;
  });
  await settle();
  const silent = await Promise.all(Array.from({ length: 100 }, () => RawPeer.connect(scp.port)));
  silent.forEach(closing);
  await settle();
  assert.equal(isAnswered, false);
  clock.advance(20 * turnMs);
  await waiting;
});

test('who asks waits for those who ask, and not for the turns of associations', options, async () => {
  const clock = new ManualClock();
  const scp = await started(new MemoryStore(), { clock });
  const echo = dataPdu(pdv(3, 'command', true, echoCommand()));
  for (let number = 1; number <= 20; number++) {
    const flood = closing(await RawPeer.associate(scp.port, {}, `127.0.1.${number}`));
    for (let sent = 0; sent < (2 * turnCostMax) / commandCost; sent++) flood.send(echo);
  }
  await settle();
  const dear = closing(await RawPeer.connect(scp.port));
  dear.send(dearRequest);
  assert.equal((await dear.next())?.kind, 'associate-reject');
  const next = associated(scp);
  await settle();
  clock.advance(5 * turnMs);
  await next;
});

test('addresses are forgotten, the oldest first', () => {
  const accounts = new AddressAccounts(new Turns(new ManualClock()));
  const first = accounts.of('0');
  for (let number = 1; number < addressesKeptMax; number++) accounts.of(String(number));
  assert.equal(accounts.of('0'), first);
  accounts.of('one more');
  assert.notEqual(accounts.of('0'), first);
});
