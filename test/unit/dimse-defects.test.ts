/** The ten defects that were measured in another receive path, each as a regression test against ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uids } from '../../firmware/dimse/index.ts';
import { pduBytesMax } from '../../firmware/dimse/limits.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  associateRequest,
  ctImageStorage,
  dataPdu,
  MemoryStore,
  pdv,
  RawPeer,
  settle,
  storeCommand,
  storeMessage,
} from '../support/dimse-peer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { abort, associated, closing, started } from '../support/dimse-scp-fixture.ts';

const options = { timeout: 20_000 };

test('defect 1: nothing is processed after a rejection, and the socket is closed', options, async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const scp = await started(store, { callingAeTitles: ['OTHER'], clock });
  const peer = closing(await RawPeer.connect(scp.port));
  peer.send(encodeAssociateRequest(associateRequest()), storeMessage(utf8('AAAA')));
  assert.deepEqual(await peer.next(), {
    kind: 'associate-reject',
    reject: { result: 1, source: 1, reason: 3 },
  });
  await settle();
  clock.advance(30_000);
  assert.deepEqual(await peer.rest(), []);
  assert.equal(store.opened, 0);
});

test('defect 2: data on a context that was not accepted aborts the association', options, async () => {
  const store = new MemoryStore();
  const peer = await associated(await started(store), {
    contexts: [
      {
        id: 1,
        abstractSyntax: '1.2.840.10008.5.1.4.1.2.1.1',
        transferSyntaxes: [uids.implicitVrLittleEndian],
      },
      { id: 3, abstractSyntax: ctImageStorage, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
  });
  peer.send(storeMessage(utf8('AAAA')));
  assert.deepEqual(await peer.next(), abort(2, 6));
  assert.equal(store.opened, 0);
});

test('defect 3: nothing is lost when a PDU holds several PDVs and the sink is slow', options, async () => {
  const store = new MemoryStore();
  store.beforeWrite = () => new Promise((resolve) => setImmediate(resolve));
  const peer = await associated(await started(store));
  peer.send(
    dataPdu(
      pdv(1, 'command', true, storeCommand()),
      pdv(1, 'data', false, utf8('AAAA')),
      pdv(1, 'data', false, utf8('BBBB')),
    ),
    dataPdu(pdv(1, 'data', false, utf8('CCCC')), pdv(1, 'data', true, utf8('DDDD'))),
  );
  assert.equal(await peer.status(), 0);
  assert.deepEqual(store.kept[0]?.bytes, utf8('AAAABBBBCCCCDDDD'));
});

test('defect 4: a sink that is not ready stops the sender', options, async () => {
  const store = new MemoryStore();
  const ready = Promise.withResolvers<void>();
  let taken = 0;
  store.beforeWrite = (chunk) => {
    taken += chunk.length;
    return ready.promise;
  };
  const peer = await associated(await started(store));
  const piece = new Uint8Array(100_000);
  peer.send(dataPdu(pdv(1, 'command', true, storeCommand())));
  const pieces = 500;
  for (let i = 0; i < pieces; i++) peer.socket.write(dataPdu(pdv(1, 'data', i === pieces - 1, piece)));
  await settle();
  // 50 MB were offered; what the kernel does not hold is still at the sender.
  assert(taken <= piece.length, `${taken} bytes taken`);
  assert(peer.socket.writableLength > 30_000_000, `${peer.socket.writableLength} bytes left at the sender`);
  store.beforeWrite = () => undefined;
  ready.resolve();
  assert.equal(await peer.status(), 0);
  assert.equal(store.kept[0]?.bytes.length, pieces * piece.length);
});

test(
  'defect 5: a sink that fails is answered with its status, aborted once, and the association goes on',
  options,
  async () => {
    const store = new MemoryStore();
    const logger = new RecordingLogger();
    const peer = await associated(await started(store, { logger }));
    store.beforeWrite = () => Promise.reject(new AppError('STORE_FAILED', 'disk full'));
    peer.send(storeMessage(utf8('AAAA')), storeMessage(utf8('BBBB'), 2));
    assert.equal(await peer.status(), 0xa700);
    assert.equal(await peer.status(), 0xa700);
    assert.equal(store.aborted.length, 2);
    store.beforeWrite = () => {
      throw new Error('unforeseen');
    };
    peer.send(storeMessage(utf8('CCCC')));
    assert.equal(await peer.status(), 0x0110);
    store.beforeWrite = () => undefined;
    store.beforeFinish = () => Promise.reject(new AppError('OBJECT_MISMATCH', 'other UID'));
    peer.send(storeMessage(utf8('DDDD')));
    assert.equal(await peer.status(), 0xa900);
    store.beforeFinish = async () => undefined;
    store.beforeOpen = () => Promise.reject(new AppError('STORE_FAILED', 'disk full'));
    peer.send(storeMessage(utf8('EEEE')));
    assert.equal(await peer.status(), 0xa700);
    store.beforeOpen = async () => undefined;
    peer.send(storeMessage(utf8('FFFF')));
    assert.equal(await peer.status(), 0);
    assert.deepEqual(
      store.kept.map(({ bytes }) => bytes),
      [utf8('FFFF')],
    );
  },
);

test(
  'defect 6: a PDU longer than announced, or of unknown type, is refused by its header',
  options,
  async () => {
    const store = new MemoryStore();
    const scp = await started(store);
    const stranger = closing(await RawPeer.connect(scp.port));
    stranger.send(Uint8Array.of(1, 0, 0xff, 0xff, 0xff, 0xff));
    assert.deepEqual(await stranger.next(), abort(2, 6));
    const unknown = closing(await RawPeer.connect(scp.port));
    unknown.send(utf8('GET / HTTP/1.1\r\n'));
    assert.deepEqual(await unknown.next(), abort(2, 1));
    const peer = await associated(scp);
    peer.send(concatBytes(Uint8Array.of(4, 0), u32(pduBytesMax + 1)));
    assert.deepEqual(await peer.next(), abort(2, 6));
    assert.equal(store.opened, 0);
  },
);

test('defect 7: a peer without a maximum PDU length still gets ours', options, async () => {
  const scp = await started(new MemoryStore());
  const peer = closing(await RawPeer.connect(scp.port));
  peer.send(encodeAssociateRequest(associateRequest({ user: { pduBytesMax: 0 } })));
  const answer = await peer.next();
  assert(answer?.kind === 'associate-accept');
  assert.equal(answer.accept.userInformation.pduBytesMax, pduBytesMax);
  peer.send(storeMessage(utf8('AAAA')));
  assert.equal(await peer.status(), 0);
});

test(
  'defect 8: asynchronous operations are answered with one each, and only if proposed',
  options,
  async () => {
    const scp = await started(new MemoryStore());
    const proposals = [undefined, { invoked: 8, performed: 8 }, { invoked: 0, performed: 0 }];
    for (const asynchronousOperations of proposals) {
      const peer = closing(await RawPeer.connect(scp.port));
      peer.send(
        encodeAssociateRequest(
          associateRequest({ user: { ...(asynchronousOperations && { asynchronousOperations }) } }),
        ),
      );
      const answer = await peer.next();
      assert(answer?.kind === 'associate-accept');
      const expected = asynchronousOperations && { invoked: 1, performed: 1 };
      assert.deepEqual(answer.accept.userInformation.asynchronousOperations, expected);
    }
  },
);

test(
  'defect 9: who connects and sends no request is closed by ARTIM, also in its midst',
  options,
  async () => {
    const clock = new ManualClock();
    const scp = await started(new MemoryStore(), { clock });
    const silent = closing(await RawPeer.connect(scp.port));
    const slow = closing(await RawPeer.connect(scp.port));
    slow.send(encodeAssociateRequest(associateRequest()).subarray(0, 50));
    await settle();
    clock.advance(29_999);
    await settle();
    assert(!silent.socket.destroyed);
    clock.advance(1);
    assert.deepEqual(await silent.rest(), []);
    assert.deepEqual(await slow.rest(), []);
  },
);

test('defect 10: no timer runs while the box itself is at work', options, async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const finished = Promise.withResolvers<void>();
  const finishing = Promise.withResolvers<void>();
  store.beforeFinish = () => {
    finishing.resolve();
    return finished.promise;
  };
  const peer = await associated(await started(store, { clock }));
  peer.send(storeMessage(utf8('AAAA')));
  await finishing.promise;
  clock.advance(24 * 3_600_000);
  await settle();
  finished.resolve();
  assert.equal(await peer.status(), 0);
});
