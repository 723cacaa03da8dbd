/** Peers that mean harm, or are broken as if they did: none takes more than its share of time, places and memory. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { mock, test } from 'node:test';
import { encodeCommand } from '../../firmware/dimse/command.ts';
import { GatheredIdentifier, HeldIdentifiers } from '../../firmware/dimse/held-identifiers.ts';
import { limits } from '../../firmware/dimse/index.ts';
import { MessageReader } from '../../firmware/dimse/message-reader.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { Turns, WorkAccount } from '../../firmware/dimse/turns.ts';
import { concatBytes, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  associateRequest,
  dataPdu,
  echoCommand,
  MemoryStore,
  pdv,
  RawPeer,
  releaseRequestPdu,
  settle,
  storeCommand,
  storeMessage,
  until,
} from '../support/dimse-peer.ts';
import { abort, associated, closing, running, started } from '../support/dimse-scp-fixture.ts';
import { heapInUse } from '../support/heap.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { mostCallsInOneTurn } from '../support/work-in-one-turn.ts';

const options = { timeout: 30_000 };
const { paceMsMax, paceBytesMin, stallMsMax, artimMs } = limits;
const { commandCost, smallFragmentCost, turnCostMax, turnMs } = limits;

const commandsPerTurn = turnCostMax / commandCost;
const smallFragmentsPerTurn = turnCostMax / smallFragmentCost;

/** A C-STORE whose data set has begun. */
const begunStore = concatBytes(
  dataPdu(pdv(1, 'command', true, storeCommand())),
  dataPdu(pdv(1, 'data', false, utf8('AA'))),
);

test('a request that drips in is ended by ARTIM, however often a byte comes', options, async () => {
  const clock = new ManualClock();
  const scp = await started(new MemoryStore(), { clock });
  const peer = closing(await RawPeer.connect(scp.port));
  const request = encodeAssociateRequest(associateRequest());
  for (let sent = 0; sent < 10; sent++) {
    peer.send(request.subarray(sent, sent + 1));
    await settle();
    assert(!peer.socket.destroyed, `after ${sent} bytes`);
    clock.advance(artimMs / 10);
  }
  assert.deepEqual(await peer.rest(), []);
});

test('who goes on sending after our last word is cut off, without waiting for ARTIM', options, async () => {
  const scp = await started(new MemoryStore(), { clock: new ManualClock() });
  const peer = closing(await RawPeer.connect(scp.port));
  // Data before an association: A-ABORT, and what follows is ignored until the peer has closed (PS3.8 table 9-10).
  const empty = pdv(1, 'data', false, new Uint8Array());
  peer.send(dataPdu(...Array.from({ length: limits.ignoredFragmentsMax }, () => empty)));
  await settle();
  assert(!peer.socket.destroyed);
  peer.send(dataPdu(empty, empty));
  await peer.rest();
  assert(peer.socket.destroyed);
  const releasing = closing(await RawPeer.connect(scp.port));
  releasing.send(concatBytes(dataPdu(empty), ...Array.from({ length: 5 }, () => releaseRequestPdu)));
  await releasing.rest();
  assert(releasing.socket.destroyed);
});

test('a byte before each silence limit does not hold a place for ever', options, async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const scp = await started(store, { clock });
  const dripping = await associated(scp);
  const dawdlingInPdu = await associated(scp);
  const fair = await associated(scp);
  dripping.send(begunStore);
  // A PDU of one PDV, of a command.
  dawdlingInPdu.send(concatBytes(Uint8Array.of(4, 0), u32(1_000), u32(996), Uint8Array.of(3, 1)));
  fair.send(begunStore);
  const stepMs = stallMsMax - 10_000;
  const piece = new Uint8Array(Math.ceil(paceBytesMin / (paceMsMax / stepMs)));
  for (let passedMs = 0; passedMs <= 2 * paceMsMax; passedMs += stepMs) {
    dripping.send(dataPdu(pdv(1, 'data', false, utf8('A'))));
    dawdlingInPdu.send(Uint8Array.of(0));
    fair.send(dataPdu(pdv(1, 'data', false, piece)));
    await settle();
    clock.advance(stepMs);
  }
  assert.deepEqual(await dripping.next(), abort(0, 0));
  assert.deepEqual(await dawdlingInPdu.next(), abort(0, 0));
  fair.send(dataPdu(pdv(1, 'data', true, new Uint8Array(0))));
  assert.equal(await fair.status(), 0, 'slow, but not too slow');
  assert.equal(store.kept.length, 1);
  assert.equal(store.aborted.length, 1);
});

test('a peer is not blamed for the time that the disk takes', options, async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const disk = Promise.withResolvers<void>();
  store.beforeWrite = () => disk.promise;
  const scp = await started(store, { clock });
  const peer = await associated(scp);
  peer.send(dataPdu(pdv(1, 'command', true, storeCommand())));
  peer.send(dataPdu(pdv(1, 'data', false, new Uint8Array(4_000))));
  await until(() => store.opened === 1);
  await settle();
  clock.advance(10 * paceMsMax);
  await settle();
  disk.resolve();
  peer.send(dataPdu(pdv(1, 'data', true, utf8('AA'))));
  assert.equal(await peer.status(), 0);
});

test('one address does not take all places', options, async () => {
  const scp = await started(new MemoryStore(), {
    limits: { associationsMax: 4, associationsPerAddressMax: 2 },
  });
  const first = await associated(scp);
  await associated(scp);
  const third = closing(await RawPeer.connect(scp.port));
  third.send(encodeAssociateRequest(associateRequest()));
  assert.deepEqual(await third.next(), {
    kind: 'associate-reject',
    reject: { result: 2, source: 3, reason: 2 },
  });
  const other = closing(await RawPeer.associate(scp.port, {}, '127.0.0.2'));
  other.send(storeMessage(utf8('AAAA')));
  assert.equal(await other.status(), 0);
  first.send(releaseRequestPdu);
  assert.deepEqual(await first.next(), { kind: 'release-response' });
  await associated(scp);
});

test('a thousand idle connections keep nobody from storing', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  const before = await associated(scp);
  const idle = Array.from({ length: 1_000 }, () => {
    const socket = connect({ host: '127.0.0.1', port: scp.port });
    socket.on('error', () => socket.destroy());
    running.push({ stop: () => socket.destroy() });
    return socket;
  });
  await until(() => idle.every((socket) => !socket.connecting));
  before.send(storeMessage(utf8('AAAA')));
  assert.equal(await before.status(), 0);
  const after = await associated(scp);
  after.send(storeMessage(utf8('BBBB')));
  assert.equal(await after.status(), 0);
  await until(() => idle.filter((socket) => socket.destroyed || socket.readableEnded).length > 400);
  assert.equal(scp.associations, 2);
});

/** What is said of the length of something that has none, before an association and in it. */
const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

test('no stated length is believed: each is refused where it stands', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  const request = encodeAssociateRequest(associateRequest());
  const bent = (offset: number, bytes: Uint8Array): Uint8Array => {
    const copy = request.slice();
    copy.set(bytes, offset);
    return copy;
  };
  // The PDU itself, then the items in it: application context, presentation context, its abstract syntax.
  const applicationContext = 74;
  const presentationContext = applicationContext + 4 + 21;
  const before: readonly Uint8Array[] = [
    bent(2, huge),
    bent(applicationContext + 2, huge.subarray(2)),
    bent(presentationContext + 2, huge.subarray(2)),
    bent(presentationContext + 10, huge.subarray(2)),
  ];
  for (const [index, bytes] of before.entries()) {
    const peer = closing(await RawPeer.connect(scp.port));
    peer.send(bytes);
    assert.deepEqual(await peer.next(), abort(2, 6), `request ${index}`);
  }
  const pduOf = (type: number): Uint8Array => concatBytes(Uint8Array.of(type, 0), huge);
  const pdvOf = concatBytes(Uint8Array.of(4, 0), u32(100), huge, Uint8Array.of(1, 0));
  for (const bytes of [pduOf(1), pduOf(2), pduOf(3), pduOf(4), pduOf(5), pduOf(6), pduOf(7), pdvOf]) {
    const peer = await associated(scp);
    peer.send(bytes);
    assert.deepEqual(await peer.next(), abort(2, 6), Buffer.from(bytes).toString('hex'));
  }
  // A command's element that says it is longer than the command, and a command that never ends.
  const command = echoCommand();
  command.set(huge, 4);
  const endless = encodeCommand({ commandField: 0x0030, hasDataSet: false, messageId: 1 });
  for (const pdus of [
    [dataPdu(pdv(3, 'command', true, command))],
    Array.from({ length: 400 }, () => dataPdu(pdv(3, 'command', false, endless))),
  ]) {
    const peer = await associated(scp);
    peer.send(...pdus);
    assert.deepEqual(await peer.next(), abort(0, 0));
  }
  assert.equal(store.opened, 0);
});

test('a read that is full of empty fragments keeps nobody waiting, and is taken', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  const peer = await associated(scp);
  const empty = pdv(1, 'data', false, new Uint8Array(0));
  const single = pdv(1, 'data', false, utf8('A'));
  const emptyCommand = pdv(1, 'command', false, new Uint8Array(0));
  const fragments = Math.floor(limits.receiveBufferBytes / empty.length);
  const filled = (one: Uint8Array): Uint8Array =>
    dataPdu(concatBytes(...Array.from({ length: fragments }, () => one)));
  const most = await mostCallsInOneTurn(MessageReader.prototype, 'read', async () => {
    peer.send(filled(emptyCommand), dataPdu(pdv(1, 'command', true, storeCommand())));
    peer.send(filled(empty), filled(single), dataPdu(pdv(1, 'data', true, utf8('B'))));
    assert.equal(await peer.status(), 0);
  });
  assert(most > 0 && most <= 2 * smallFragmentsPerTurn, `${most} fragments at one go`);
  const expected = `${'A'.repeat(fragments)}B`;
  assert.equal(store.kept.map(({ bytes }) => Buffer.from(bytes).toString()).join('|'), expected);
});

test('who sends small fragments without an end takes turns, and nobody else waits', options, async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const scp = await started(store, { clock });
  const empty = Array.from({ length: 3 * smallFragmentsPerTurn }, () =>
    pdv(1, 'data', false, new Uint8Array(0)),
  );
  const flooding = [await associated(scp), await associated(scp)];
  const read = mock.method(MessageReader.prototype, 'read', {}).mock;
  try {
    for (const peer of flooding) {
      peer.send(dataPdu(pdv(1, 'command', true, storeCommand())), dataPdu(...empty));
      await until(() => store.opened > flooding.indexOf(peer));
    }
    // Each began with a command, which has cost something too.
    const fragmentsOf = (turns: number): number =>
      turns * smallFragmentsPerTurn - (flooding.length * commandCost) / smallFragmentCost;
    let others = flooding.length;
    await until(() => read.callCount() === others + fragmentsOf(2));
    for (const turns of [3, 4]) {
      const fair = await associated(scp);
      fair.send(storeMessage(utf8('AAAA')));
      assert.equal(await fair.status(), 0);
      others += 2;
      assert.equal(read.callCount(), others + fragmentsOf(turns - 1), 'who floods waits');
      clock.advance(turnMs);
      await until(() => read.callCount() === others + fragmentsOf(turns));
    }
  } finally {
    read.restore();
  }
});

test('commands without an end keep nobody waiting', options, async () => {
  const scp = await started(new MemoryStore());
  const peer = await associated(scp);
  const echoes = 10 * commandsPerTurn;
  const echo = dataPdu(pdv(3, 'command', true, echoCommand()));
  const most = await mostCallsInOneTurn(MessageReader.prototype, 'read', async () => {
    peer.send(concatBytes(...Array.from({ length: echoes }, () => echo)));
    for (let n = 0; n < echoes; n++) assert.equal(await peer.status(), 0);
  });
  assert(most > 0 && most <= 2 * commandsPerTurn, `${most} commands at one go`);
});

test('of all associations together, commands that bring nothing are read in turns', options, async () => {
  const clock = new ManualClock();
  const scp = await started(new MemoryStore(), { clock });
  const peers = [await associated(scp), await associated(scp)];
  const echo = dataPdu(pdv(3, 'command', true, echoCommand()));
  const answered = [0, 0];
  for (const [index, peer] of peers.entries()) {
    peer.send(concatBytes(...Array.from({ length: 3 * commandsPerTurn }, () => echo)));
    void (async () => {
      while ((await peer.next()) !== undefined) answered[index] = (answered[index] ?? 0) + 1;
    })();
  }
  await until(() => answered.every((count) => count === commandsPerTurn));
  // The second waits twice as long, and each for what it has cost more where a read ended within a command.
  clock.advance(1.5 * turnMs);
  await until(() => Math.max(...answered) === 2 * commandsPerTurn);
  await settle();
  assert.equal(Math.min(...answered), commandsPerTurn);
});

/** Fragments of one byte cost what their bytes cost, and little more. */
const overheadBytesMax = 8 * 1024 * 1024;

test('data in fragments of one byte takes no more memory than its bytes', options, async () => {
  const held = new HeldIdentifiers();
  const length = 300_000;
  const whole: (Uint8Array | undefined)[] = [];
  const gathered = new GatheredIdentifier(held, (bytes) => {
    whole.push(bytes);
    return undefined;
  });
  const hurried = { ...realClock, sleep: () => Promise.resolve() };
  const reader = new MessageReader(
    {
      command: () => undefined,
      commandWithDataSet: () => Promise.resolve(gathered),
      violation: assert.fail,
    },
    new WorkAccount(new Turns(hurried)),
  );
  const fragment = (command: boolean, last: boolean, bytes: Uint8Array) => ({
    contextId: 1,
    command,
    last,
    bytes,
  });
  const buffer = new Uint8Array(1);
  const before = heapInUse();
  // Empty fragments are legal too, any number of them.
  for (let n = 0; n < length; n++) await reader.read(fragment(true, false, buffer.subarray(1)));
  assert(heapInUse() - before < overheadBytesMax, 'empty fragments of a command are not kept');
  await reader.read(fragment(true, true, storeCommand()));
  for (let n = 0; n < length; n++) {
    buffer[0] = n & 0xff;
    const written = reader.read(fragment(false, false, buffer));
    if (written !== undefined) await written;
  }
  const grown = heapInUse() - before;
  assert(grown < overheadBytesMax, `${grown} bytes for ${length}`);
  await reader.read(fragment(false, true, buffer.subarray(1)));
  const expected = Uint8Array.from({ length }, (_, n) => n & 0xff);
  assert.equal(whole.length, 1);
  assert(whole[0] !== undefined && Buffer.compare(whole[0], expected) === 0);
});
