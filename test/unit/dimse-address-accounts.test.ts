/** Who comes and goes is made to wait for what its connections have cost, and nobody at another address is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressAccounts, Place } from '../../firmware/dimse/address-accounts.ts';
import { limits } from '../../firmware/dimse/index.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { Turns } from '../../firmware/dimse/turns.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
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
const {
  addressesKeptMax,
  commandCost,
  connectionCost,
  debtMax,
  presentationContextsMax,
  turnCostMax,
  turnMs,
} = limits;

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

function withBytes(pdu: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const changed = pdu.slice();
  changed.set(bytes, at);
  return changed;
}

/** With the length of what there is. */
function withLength(pdu: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, pdu.length - 6);
  return withBytes(pdu, 2, [...length]);
}

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

test('who asks and gives up waits for what that has cost', options, async () => {
  const clock = new ManualClock();
  const account = new AddressAccounts(new Turns(clock)).of('192.0.2.1');
  const free = Math.ceil(turnCostMax / connectionCost);
  for (let time = 1; time <= free; time++)
    assert.equal(account.inRow(connectionCost, new Place()), undefined);
  let read = 0;
  for (let time = 1; time <= 2 * free; time++)
    void account.inRow(connectionCost, new Place())?.then(() => {
      read += 1;
    });
  for (const expected of [0, free]) {
    await settle();
    assert.equal(read, expected);
    clock.advance(turnMs - 1);
    await settle();
    assert.equal(read, expected);
    clock.advance(1);
  }
  await settle();
  assert.equal(account.cost, free * connectionCost, 'but for what the last cost');
});

test('who is gone while it waits is neither waited for nor charged', options, async () => {
  const clock = new ManualClock();
  const account = new AddressAccounts(new Turns(clock)).of('192.0.2.1');
  void account.inRow(turnCostMax, new Place());
  const places = Array.from({ length: 1000 }, () => new Place());
  for (const place of places) void account.inRow(turnCostMax, place)?.then(() => assert.fail('it is gone'));
  for (const place of places) place.giveUp();
  let isRead = false;
  void account.inRow(connectionCost, new Place())?.then(() => {
    isRead = true;
  });
  await settle();
  clock.advance(turnMs);
  await settle();
  assert.ok(isRead);
  assert.equal(account.cost, connectionCost);
});

test('what is owed is bounded: a flood that is over keeps nobody of its address out for long', async () => {
  const clock = new ManualClock();
  const account = new AddressAccounts(new Turns(clock)).of('192.0.2.1', 'MODALITY');
  for (let time = 1; time <= 1000; time++) account.charge(turnCostMax);
  assert.equal(account.cost, debtMax);
  let isRead = false;
  void account.inRow(0, new Place())?.then(() => {
    isRead = true;
  });
  clock.advance((turnMs * debtMax) / turnCostMax);
  await settle();
  assert.ok(isRead);
});

/** What is decoded and comes to nothing: another version of the protocol, a byte too few, items that nobody knows. */
const cheaplyRefused: Readonly<Record<string, Uint8Array>> = {
  'of another version': withBytes(dearRequest, 6, [0, 0]),
  'cut off at its end': withLength(concatBytes(dearRequest, Uint8Array.of(0x20, 0, 0xff, 0xff))),
  'of 30,000 unknown items': withLength(
    concatBytes(
      encodeAssociateRequest(associateRequest({ calledAeTitle: 'NOBODY' })),
      Uint8Array.from({ length: 120_000 }, (_, index) => (index % 4 === 0 ? 0x77 : 0)),
    ),
  ),
};

for (const [what, request] of Object.entries(cheaplyRefused)) {
  test(`an A-ASSOCIATE-RQ ${what} is charged like every other`, options, async () => {
    const clock = new ManualClock();
    const scp = await started(new MemoryStore(), { clock });
    const first = closing(await RawPeer.connect(scp.port));
    first.send(request);
    assert.match((await first.next())?.kind ?? '', /reject|abort/);
    const second = closing(await RawPeer.connect(scp.port));
    second.send(request);
    let isAnswered = false;
    const answer = second.next().then(() => {
      isAnswered = true;
    });
    await settle();
    assert.equal(isAnswered, false);
    clock.advance(20 * turnMs);
    await answer;
  });
}

test('requests that become whole at once are decoded one after the other', options, async () => {
  const clock = new ManualClock();
  const scp = await started(new MemoryStore(), { clock });
  let answered = 0;
  const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.connect(scp.port)));
  for (const peer of peers) {
    closing(peer).send(dearRequest.subarray(0, -1));
    void peer.next().then(() => {
      answered += 1;
    });
  }
  await settle();
  clock.advance(1000);
  for (const peer of peers) peer.send(dearRequest.subarray(-1));
  await settle();
  assert.equal(answered, 1);
  for (let turns = 1; turns <= 100; turns++) {
    clock.advance(4 * turnMs);
    await settle();
  }
  assert.equal(answered, 20);
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

test(
  'connections that say nothing, or little, are in nobody’s way, however many there are',
  options,
  async () => {
    const limits = { connectionsPendingMax: 20 };
    const scp = await started(new MemoryStore(), { clock: new ManualClock(), limits });
    for (const [address, elsewhere] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.2', '127.0.0.3'],
    ]) {
      const crowd = await Promise.all(Array.from({ length: 100 }, () => RawPeer.connect(scp.port, address)));
      crowd.forEach(closing);
      for (const peer of crowd.slice(50)) if (!peer.socket.destroyed) peer.send(Uint8Array.of(1));
      await settle();
      const modality = closing(await RawPeer.connect(scp.port, elsewhere));
      await settle();
      // One more, before the modality has said a word.
      closing(await RawPeer.connect(scp.port, address));
      await settle();
      modality.send(encodeAssociateRequest(associateRequest()));
      assert.equal((await modality.next())?.kind, 'associate-accept');
      modality.send(storeMessage(new Uint8Array(20)));
      assert.equal(await modality.status(), 0);
    }
  },
);

test('a crowd that has asked, at one address, drops nobody elsewhere who has not yet', options, async () => {
  const limits = { connectionsPendingMax: 20 };
  const scp = await started(new MemoryStore(), { clock: new ManualClock(), limits });
  const crowd = await Promise.all(Array.from({ length: 20 }, () => RawPeer.connect(scp.port, '127.0.0.2')));
  for (const peer of crowd) closing(peer).send(dearRequest);
  await settle();
  const modality = closing(await RawPeer.connect(scp.port, '127.0.0.3'));
  for (let number = 1; number <= 5; number++)
    closing(await RawPeer.connect(scp.port, '127.0.0.2')).send(dearRequest);
  await settle();
  modality.send(encodeAssociateRequest(associateRequest()));
  assert.equal((await modality.next())?.kind, 'associate-accept');
});

test('who has asked and waits for its turn gives way to nobody who has not', options, async () => {
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
  for (const address of ['127.0.0.1', '127.0.0.2']) {
    const crowd = await Promise.all(Array.from({ length: 100 }, () => RawPeer.connect(scp.port, address)));
    for (const peer of crowd) if (!closing(peer).socket.destroyed) peer.send(Uint8Array.of(1));
    await settle();
  }
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
