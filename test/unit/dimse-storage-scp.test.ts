/** The storage SCP against a peer that sends raw bytes: services, fragmentation, refusals, timers, the end. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { uids } from '../../firmware/dimse/index.ts';
import { encodeCommand } from '../../firmware/dimse/command.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  abortPdu,
  associateRequest,
  ctImageStorage,
  dataPdu,
  echoCommand,
  makeScp,
  MemoryStore,
  pdv,
  RawPeer,
  releaseRequestPdu,
  settle,
  storeCommand,
  storeMessage,
  until,
} from '../support/dimse-peer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { abort, associated, closing, running, started } from '../support/dimse-scp-fixture.ts';

const options = { timeout: 20_000 };

test(
  'C-ECHO, C-STORE and release: the bytes arrive as sent and the answers carry the Message IDs',
  options,
  async () => {
    const store = new MemoryStore();
    const peer = await associated(await started(store));
    peer.send(dataPdu(pdv(3, 'command', true, echoCommand(7))));
    assert.equal(await peer.status(), 0);
    peer.send(storeMessage(utf8('AAAABBBB'), 8));
    assert.equal(await peer.status(), 0);
    assert.deepEqual(store.kept, [
      {
        request: {
          sopClassUid: ctImageStorage,
          sopInstanceUid: '1.2.3.4.5',
          transferSyntaxUid: uids.explicitVrLittleEndian,
          callingAeTitle: 'MODALITY',
          calledAeTitle: 'HILUM',
          remoteAddress: '127.0.0.1',
          messageId: 8,
        },
        bytes: utf8('AAAABBBB'),
      },
    ]);
    peer.send(releaseRequestPdu);
    assert.deepEqual(await peer.next(), { kind: 'release-response' });
  },
);

test('silence within a message ends it sooner than silence between messages', options, async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const scp = await started(store, { clock });
  const idle = await associated(scp);
  const stalled = await associated(scp);
  stalled.send(dataPdu(pdv(1, 'command', true, storeCommand()), pdv(1, 'data', false, utf8('AA'))));
  await until(() => store.opened === 1);
  await settle();
  clock.advance(60_000);
  assert.deepEqual(await stalled.next(), abort(0, 0));
  await until(() => store.aborted.length === 1);
  clock.advance(500_000);
  idle.send(dataPdu(pdv(3, 'command', true, echoCommand())));
  assert.equal(await idle.status(), 0);
  await settle();
  clock.advance(600_000);
  assert.deepEqual(await idle.next(), abort(0, 0));
  assert.equal(store.kept.length, 0);
});

test('any legal fragmentation gives the same object', options, async () => {
  const store = new MemoryStore();
  const peer = await associated(await started(store));
  const command = storeCommand();
  const data = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
  const onePerPdu: Uint8Array[] = [];
  for (let i = 0; i < command.length; i++) {
    onePerPdu.push(dataPdu(pdv(1, 'command', i === command.length - 1, command.subarray(i, i + 1))));
  }
  for (let i = 0; i < data.length; i++)
    onePerPdu.push(dataPdu(pdv(1, 'data', false, data.subarray(i, i + 1))));
  onePerPdu.push(dataPdu(pdv(1, 'data', true, new Uint8Array(0))));
  peer.send(...onePerPdu);
  assert.equal(await peer.status(), 0);
  const allInOne = dataPdu(
    pdv(1, 'command', false, command.subarray(0, 3)),
    pdv(1, 'command', true, command.subarray(3)),
    ...Array.from({ length: 100 }, (_, i) => pdv(1, 'data', i === 99, data.subarray(3 * i, 3 * i + 3))),
  );
  // One TCP segment for each byte, as far as the kernel lets it.
  for (const byte of allInOne) peer.socket.write(Uint8Array.of(byte));
  assert.equal(await peer.status(), 0);
  assert.deepEqual(
    store.kept.map(({ bytes }) => bytes),
    [data, data],
  );
});

test('what breaks the message protocol is aborted, and a begun object is told so', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  const begun = dataPdu(pdv(1, 'command', true, storeCommand()), pdv(1, 'data', false, utf8('AA')));
  const cases: readonly (readonly [string, Uint8Array, object, number])[] = [
    ['data without a command', dataPdu(pdv(1, 'data', true, utf8('AA'))), abort(0, 0), 0],
    [
      'a command within a data set',
      concatBytes(begun, dataPdu(pdv(1, 'command', true, storeCommand()))),
      abort(0, 0),
      1,
    ],
    [
      'data on another context',
      concatBytes(begun, dataPdu(pdv(3, 'data', true, utf8('AA')))),
      abort(0, 0),
      1,
    ],
    ['release within a message', concatBytes(begun, releaseRequestPdu), abort(0, 0), 1],
    ['a second request', concatBytes(begun, encodeAssociateRequest(associateRequest())), abort(2, 2), 1],
    ['a PDV longer than its PDU', dataPdu(concatBytes(u32(100), Uint8Array.of(1, 2, 0))), abort(2, 6), 0],
    ['a command set without end', dataPdu(pdv(1, 'command', false, new Uint8Array(16_385))), abort(0, 0), 0],
    ['a command set that is none', dataPdu(pdv(1, 'command', true, utf8('no command set'))), abort(0, 0), 0],
    [
      'a response',
      dataPdu(
        pdv(1, 'command', true, encodeCommand({ commandField: 0x8001, hasDataSet: false, messageId: 1 })),
      ),
      abort(0, 0),
      0,
    ],
  ];
  for (const [name, bytes, expected, aborted] of cases) {
    store.aborted.length = 0;
    const peer = await associated(scp);
    peer.send(bytes);
    assert.deepEqual(await peer.next(), expected, name);
    await until(() => store.aborted.length === aborted);
    peer.close();
  }
  assert.equal(store.kept.length, 0);
});

test('an association that is aborted or cut off aborts its sink; the others go on', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  const steady = await associated(scp);
  const begun = dataPdu(pdv(1, 'command', true, storeCommand()), pdv(1, 'data', false, utf8('AA')));
  const aborting = await associated(scp);
  aborting.send(begun, abortPdu);
  await until(() => store.aborted.length === 1);
  const vanishing = await associated(scp);
  vanishing.send(begun);
  await until(() => store.opened === 2);
  vanishing.socket.resetAndDestroy();
  await until(() => store.aborted.length === 2);
  for (const reason of store.aborted) assert(reason instanceof AppError && reason.code === 'DIMSE_PROTOCOL');
  steady.send(storeMessage(utf8('BBBB')));
  assert.equal(await steady.status(), 0);
  assert.equal(store.kept.length, 1);
});

test('a connection lost while an object is being finished lets it be finished', options, async () => {
  const store = new MemoryStore();
  const finish = Promise.withResolvers<void>();
  const finishing = Promise.withResolvers<void>();
  store.beforeFinish = () => {
    finishing.resolve();
    return finish.promise;
  };
  const scp = await started(store);
  const peer = await associated(scp);
  peer.send(storeMessage(utf8('AAAA')));
  await finishing.promise;
  peer.socket.resetAndDestroy();
  const stopped = scp.stop();
  finish.resolve();
  await stopped;
  running.shift();
  assert.equal(store.kept.length, 1);
  assert.equal(store.aborted.length, 0);
});

test('a connection lost while the last bytes are written lets the object be finished', options, async () => {
  const store = new MemoryStore();
  const written = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  store.beforeWrite = () => written.promise;
  store.beforeFinish = () => finish.promise;
  const scp = await started(store);
  const peer = await associated(scp);
  peer.send(storeMessage(utf8('AAAA')));
  await until(() => store.opened === 1);
  await settle();
  let stopped = false;
  const stopping = scp.stop().then(() => {
    stopped = true;
  });
  await settle();
  written.resolve();
  await settle();
  assert(!stopped);
  finish.resolve();
  await stopping;
  running.shift();
  assert.equal(store.kept.length + store.aborted.length, 1);
});

test(
  'an association that was released no longer counts, though its peer does not close',
  options,
  async () => {
    const scp = await started(new MemoryStore(), { limits: { associationsMax: 1 } });
    const lingering = await associated(scp);
    lingering.send(releaseRequestPdu);
    assert.deepEqual(await lingering.next(), { kind: 'release-response' });
    await associated(scp);
    assert.equal(scp.associations, 1);
  },
);

test('every rejection carries its result, source and reason', options, async () => {
  const scp = await started(new MemoryStore(), {
    limits: { associationsMax: 1 },
    admit: ({ callingAeTitle }) => {
      if (callingAeTitle === 'FAILS') throw new Error('no list');
      return callingAeTitle === 'BARRED' ? { result: 1, source: 1, reason: 3 } : { may: new Set() };
    },
  });
  const cases = [
    [{ calledAeTitle: 'ELSEWHERE' }, { result: 1, source: 1, reason: 7 }],
    [{ callingAeTitle: 'BARRED' }, { result: 1, source: 1, reason: 3 }],
    [{ callingAeTitle: 'FAILS' }, { result: 2, source: 3, reason: 1 }],
    [{ applicationContextName: '1.2.3' }, { result: 1, source: 1, reason: 2 }],
    [{ protocolVersion: 2 }, { result: 1, source: 2, reason: 2 }],
    [{ user: { pduBytesMax: 7 } }, { result: 1, source: 1, reason: 1 }],
  ] as const;
  for (const [change, expected] of cases) {
    const peer = closing(await RawPeer.connect(scp.port));
    peer.send(encodeAssociateRequest(associateRequest(change)));
    assert.deepEqual(await peer.next(), { kind: 'associate-reject', reject: expected });
  }
  await associated(scp);
  const second = closing(await RawPeer.connect(scp.port));
  second.send(encodeAssociateRequest(associateRequest()));
  assert.deepEqual(await second.next(), {
    kind: 'associate-reject',
    reject: { result: 2, source: 3, reason: 2 },
  });
});

test('presentation contexts and roles are answered honestly', options, async () => {
  const scp = await started(new MemoryStore());
  const peer = closing(await RawPeer.connect(scp.port));
  const find = '1.2.840.10008.5.1.4.1.2.2.1';
  const mrImageStorage = '1.2.840.10008.5.1.4.1.1.4';
  peer.send(
    encodeAssociateRequest(
      associateRequest({
        contexts: [
          {
            id: 1,
            abstractSyntax: ctImageStorage,
            transferSyntaxes: ['1.2.840.10008.1.2.4.80', uids.implicitVrLittleEndian],
          },
          { id: 3, abstractSyntax: find, transferSyntaxes: [uids.implicitVrLittleEndian] },
          { id: 5, abstractSyntax: '1.3.46.670589.11.0.0.12.1', transferSyntaxes: ['1.2.840.113619.5.2'] },
          { id: 7, abstractSyntax: mrImageStorage, transferSyntaxes: [uids.implicitVrLittleEndian] },
          { id: 9, abstractSyntax: ctImageStorage, transferSyntaxes: [] },
        ],
        user: {
          roles: [
            { sopClassUid: ctImageStorage, scu: true, scp: true },
            { sopClassUid: mrImageStorage, scu: false, scp: true },
            { sopClassUid: find, scu: true, scp: false },
          ],
        },
      }),
    ),
  );
  const answer = await peer.next();
  assert(answer?.kind === 'associate-accept');
  const { contexts, userInformation } = answer.accept;
  assert.deepEqual(
    contexts.map(({ id, result }) => [id, result]),
    [
      [1, 0],
      [3, 3],
      [5, 0],
      [7, 1],
      [9, 4],
    ],
  );
  assert.equal(contexts[0]?.transferSyntax, '1.2.840.10008.1.2.4.80');
  assert.equal(contexts[2]?.transferSyntax, '1.2.840.113619.5.2');
  assert.deepEqual(userInformation.roles, [
    { sopClassUid: ctImageStorage, scu: true, scp: false },
    { sopClassUid: mrImageStorage, scu: false, scp: false },
    { sopClassUid: find, scu: false, scp: false },
  ]);
  assert.equal(userInformation.implementationClassUid, uids.implementationClassUid);
  assert.equal(userInformation.implementationVersionName, uids.implementationVersionName);
});

test('requests that cannot be served are answered, their data discarded', options, async () => {
  const store = new MemoryStore();
  const peer = await associated(await started(store));
  const send = (command: Parameters<typeof encodeCommand>[0]): void => {
    peer.send(
      dataPdu(
        pdv(1, 'command', true, encodeCommand(command)),
        ...(command.hasDataSet ? [pdv(1, 'data', true, utf8('AAAA'))] : []),
      ),
    );
  };
  const base = {
    commandField: 1,
    hasDataSet: true,
    messageId: 1,
    affectedSopClassUid: ctImageStorage,
    affectedSopInstanceUid: '1.2.3',
  };
  send({ ...base, commandField: 0x0020 });
  assert.equal(await peer.status(), 0x0211);
  send({ ...base, commandField: 0x0110, hasDataSet: false });
  assert.equal(await peer.status(), 0x0211);
  send({ ...base, affectedSopClassUid: uids.verificationSopClass });
  assert.equal(await peer.status(), 0x0122);
  send({ ...base, affectedSopInstanceUid: '../../etc' });
  assert.equal(await peer.status(), 0x0117);
  send({ ...base, hasDataSet: false });
  assert.equal(await peer.status(), 0xc000);
  send({ commandField: 0x0fff, hasDataSet: false, messageIdBeingRespondedTo: 1 });
  send(base);
  assert.equal(await peer.status(), 0);
  assert.equal(store.opened, 1);
});

test('idle connections do not keep a modality out: the oldest gives way', options, async () => {
  const scp = await started(new MemoryStore(), { limits: { connectionsPendingMax: 3 } });
  const idle: RawPeer[] = [];
  for (let i = 0; i < 10; i++) idle.push(closing(await RawPeer.connect(scp.port)));
  const peer = await associated(scp);
  peer.send(dataPdu(pdv(3, 'command', true, echoCommand())));
  assert.equal(await peer.status(), 0);
  assert.deepEqual(await idle[0]?.rest(), []);
});

/** Whoever waits for a turn has it at once. */
class HurriedClock extends ManualClock {
  override sleep(): Promise<void> {
    return nextTurn();
  }
}

test('a peer that reads no answers is not read from, and is given up after a while', options, async () => {
  const clock = new HurriedClock();
  const scp = await started(new MemoryStore(), { clock });
  const peer = await associated(scp);
  peer.socket.pause();
  const echoes = concatBytes(
    ...Array.from({ length: 1000 }, () => dataPdu(pdv(3, 'command', true, echoCommand()))),
  );
  const rounds = 400;
  for (let i = 0; i < rounds; i++) peer.socket.write(echoes);
  await until(() => peer.socket.writableLength > 0);
  let left: number;
  do {
    left = peer.socket.writableLength;
    for (let turn = 0; turn < 3; turn++) await settle();
  } while (peer.socket.writableLength < left);
  assert(peer.socket.writableLength > 1_000_000, `${peer.socket.writableLength} bytes left at the sender`);
  // On a busy machine the sender may pause before the SCP does: the clock goes on until the SCP waits in vain.
  await until(() => {
    clock.advance(60_000);
    return scp.associations === 0;
  });
});

test('a port in use is named; stop ends everything', options, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({ stop: () => server.close() });
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  const clash = makeScp(new MemoryStore().store, { port: address.port });
  await assert.rejects(clash.start(), (error: AppError) => {
    assert.equal(error.code, 'PORT_IN_USE');
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${address.port}`));
    return true;
  });
  const store = new MemoryStore();
  const scp = makeScp(store.store);
  await scp.start();
  const peer = closing(await RawPeer.associate(scp.port));
  peer.send(dataPdu(pdv(1, 'command', true, storeCommand()), pdv(1, 'data', false, utf8('AA'))));
  await until(() => store.opened === 1);
  await scp.stop();
  assert.deepEqual(await peer.rest(), [abort(0, 0)]);
  assert.equal(store.aborted.length, 1);
});
