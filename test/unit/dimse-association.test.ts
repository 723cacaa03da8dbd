/** The requestor against our own SCP and against peers that misbehave. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { encodeCommand } from '../../firmware/dimse/command.ts';
import {
  type Association,
  type AssociationOptions,
  openAssociation,
  uids,
} from '../../firmware/dimse/index.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { PduEvent } from '../../firmware/dimse/pdu-reader.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  abortPdu,
  ctImageStorage,
  dataPdu,
  MemoryStore,
  pdv,
  releaseRequestPdu,
  settle,
  until,
} from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';
import { inPieces } from '../support/dimse-tools.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { acceptPdu, scriptedScp } from '../support/scripted-scp.ts';

const options = { timeout: 20_000 };

const object = {
  sopClassUid: ctImageStorage,
  sopInstanceUid: '1.2.3',
  transferSyntaxUid: uids.explicitVrLittleEndian,
};

function optionsFor(port: number, change: Partial<AssociationOptions> = {}): AssociationOptions {
  return {
    host: '127.0.0.1',
    port,
    callingAeTitle: 'SENDER',
    calledAeTitle: 'HILUM',
    contexts: [
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.explicitVrLittleEndian, uids.implicitVrLittleEndian],
      },
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { abstractSyntax: '1.2.840.10008.5.1.4.1.2.1.1', transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
    clock: realClock,
    ...change,
  };
}

async function opened(port: number, change: Partial<AssociationOptions> = {}): Promise<Association> {
  const association = await openAssociation(optionsFor(port, change));
  running.push({ stop: () => association.abort() });
  return association;
}

const deliveryFailed = (message: RegExp) => ({ code: 'DELIVERY_FAILED', message });

function accept(pduBytesMax?: number, transferSyntax: string = uids.explicitVrLittleEndian): Uint8Array {
  return acceptPdu(
    [
      { id: 1, result: 0, transferSyntax },
      { id: 3, result: 0, transferSyntax: uids.implicitVrLittleEndian },
      { id: 5, result: 3, transferSyntax: '' },
    ],
    pduBytesMax,
  );
}

function storeResponse(status: number | undefined, messageId = 1): Uint8Array {
  return dataPdu(
    pdv(
      1,
      'command',
      true,
      encodeCommand({
        commandField: 0x8001,
        hasDataSet: false,
        messageIdBeingRespondedTo: messageId,
        ...(status !== undefined && { status }),
        errorComment: 'as it is',
      }),
    ),
  );
}

test('echo, store and release; what the sink says is what the requestor hears', options, async () => {
  const store = new MemoryStore();
  const { port } = await started(store);
  const association = await opened(port);
  assert.deepEqual(association.contexts, [
    { abstractSyntax: ctImageStorage, transferSyntax: uids.explicitVrLittleEndian },
    { abstractSyntax: uids.verificationSopClass, transferSyntax: uids.implicitVrLittleEndian },
  ]);
  assert.deepEqual(await association.echo(), { status: 0 });
  const data = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 7) & 0xff);
  assert.deepEqual(await association.store(object, inPieces(data, 30_001)), { status: 0 });
  assert.deepEqual(store.kept[0]?.bytes, data);
  store.outcome = { status: 0xb000, comment: 'coerced' };
  assert.deepEqual(await association.store(object, inPieces(new Uint8Array(0), 1)), {
    status: 0xb000,
    comment: 'coerced',
  });
  assert.equal(store.kept[1]?.bytes.length, 0);
  store.beforeFinish = () => Promise.reject(new AppError('OBJECT_UNREADABLE', 'not this one'));
  assert.deepEqual(await association.store(object, inPieces(data, 100)), {
    status: 0xc000,
    comment: 'OBJECT_UNREADABLE',
  });
  await assert.rejects(
    association.store({ ...object, transferSyntaxUid: uids.explicitVrBigEndian }, inPieces(data, 100)),
    deliveryFailed(/does not accept 1\.2\.840\.10008\.5\.1\.4\.1\.1\.2 in 1\.2\.840\.10008\.1\.2\.2/),
  );
  assert(association.isOpen);
  await association.release();
  assert(!association.isOpen);
});

test('neither end holds small messages back for an acknowledgement (Nagle)', options, async (t) => {
  const { port } = await started(new MemoryStore());
  const asked = t.mock.method(Socket.prototype, 'setNoDelay');
  const association = await opened(port);
  const ends = asked.mock.calls.filter((call) => call.arguments[0] === true).map((call) => call.this);
  assert.equal(new Set(ends).size, 2);
  await association.release();
});

test('PDVs are as full as the peer allows, never longer, and even', options, async () => {
  const lengths: number[] = [];
  let taken = 0;
  let current = 0;
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept(103));
    if (event.kind !== 'data') return;
    current += event.fragment.bytes.length;
    assert(current <= 97);
    if (event.fragment.command) {
      current = 0;
      return;
    }
    taken += event.fragment.bytes.length;
    if (current === 96 || event.fragment.last) {
      lengths.push(current);
      current = 0;
    }
    if (event.fragment.last) socket.write(storeResponse(0));
  });
  const association = await opened(port);
  await association.store(object, inPieces(new Uint8Array(1000), 7));
  assert.equal(taken, 1000);
  assert.deepEqual(lengths, [...Array.from({ length: 10 }, () => 96), 40]);
});

test('a peer that stops reading stops the source of the data, and is given up', options, async () => {
  const clock = new ManualClock();
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept());
    else socket.pause();
  });
  const association = await opened(port, { clock });
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      read += 65_536;
      yield await Promise.resolve(new Uint8Array(65_536));
    }
  }
  const stored = association.store(object, endless());
  const outcome = assert.rejects(stored, deliveryFailed(/silent for too long/));
  await settle();
  await settle();
  const before = read;
  await settle();
  assert.equal(read, before);
  assert(read < 50_000_000, `${read} bytes read from the source`);
  clock.advance(60_000);
  await outcome;
});

test('whatever goes wrong is an error with what the peer said', options, async () => {
  const data = (): AsyncIterable<Uint8Array> => inPieces(new Uint8Array(1000), 100);
  const cases: readonly (readonly [
    string,
    (event: PduEvent & { kind: 'data' }, socket: Socket) => void,
    RegExp,
  ])[] = [
    ['aborts', (_, socket) => socket.write(abortPdu), /A-ABORT by the peer, source 0, reason 0/],
    ['closes', (_, socket) => socket.end(), /closed the connection/],
    ['resets', (_, socket) => socket.resetAndDestroy(), /connection lost|closed the connection/],
    [
      'answers another message',
      (_, socket) => socket.write(storeResponse(0, 99)),
      /answers nothing we asked/,
    ],
    ['answers without status', (_, socket) => socket.write(storeResponse(undefined)), /without a status/],
    ['sends garbage', (_, socket) => socket.write(utf8('HTTP/1.1 400')), /broke the protocol/],
    ['releases', (_, socket) => socket.write(releaseRequestPdu), /released the association/],
    [
      'sends on a rejected context',
      (_, socket) => socket.write(dataPdu(pdv(5, 'command', true, utf8('x')))),
      /not accepted/,
    ],
  ];
  for (const [name, misbehave, pattern] of cases) {
    const port = await scriptedScp((event, socket) => {
      if (event.kind === 'associate-request') socket.write(accept());
      if (event.kind === 'data' && event.fragment.last && !event.fragment.command) misbehave(event, socket);
    });
    const association = await opened(port);
    await assert.rejects(association.store(object, data()), deliveryFailed(pattern), name);
    if (name !== 'answers without status')
      await assert.rejects(association.echo(), deliveryFailed(pattern), name);
  }
});

test('a peer that does not answer is given up in time, at each step', options, async () => {
  const clock = new ManualClock();
  const mute = await scriptedScp(() => undefined);
  const opening = assert.rejects(
    openAssociation(optionsFor(mute, { clock })),
    deliveryFailed(/does not answer the association request within 30 s/),
  );
  await settle();
  clock.advance(30_000);
  await opening;
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept());
  });
  const storing = await opened(port, { clock });
  const stored = assert.rejects(
    storing.store(object, inPieces(new Uint8Array(10), 10)),
    deliveryFailed(/does not answer within 300 s/),
  );
  await settle();
  clock.advance(300_000);
  await stored;
  const releasing = await opened(port, { clock });
  const released = releasing.release();
  await settle();
  clock.advance(30_000);
  await settle();
  clock.advance(30_000);
  await released;
});

test('a peer that accepts what was not proposed, or PDUs too small, is not believed', options, async () => {
  const other = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept(16_384, uids.explicitVrBigEndian));
  });
  const association = await opened(other);
  assert.deepEqual(
    association.contexts.map(({ abstractSyntax }) => abstractSyntax),
    [uids.verificationSopClass],
  );
  const small = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept(7));
  });
  await assert.rejects(openAssociation(optionsFor(small)), deliveryFailed(/PDUs of 7 bytes/));
});

test(
  'the signal ends what runs with its reason; a source that fails ends the association with its error',
  options,
  async () => {
    const store = new MemoryStore();
    const held = Promise.withResolvers<void>();
    store.beforeFinish = () => held.promise;
    const { port } = await started(store);
    const controller = new AbortController();
    const association = await opened(port, { signal: controller.signal });
    const stored = association.store(object, inPieces(new Uint8Array(1000), 100));
    await until(() => store.opened === 1);
    controller.abort(new Error('the box stops'));
    await assert.rejects(stored, /the box stops/);
    held.resolve();
    await assert.rejects(openAssociation(optionsFor(port, { signal: controller.signal })), /the box stops/);
    const second = await opened(port);
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(new Uint8Array(100));
      throw new AppError('STORE_CORRUPT', 'a chunk is gone');
    }
    await assert.rejects(
      second.store(object, failing()),
      (error: AppError) => error.code === 'STORE_CORRUPT',
    );
    await until(() => store.aborted.length === 1);
    assert(!second.isOpen);
  },
);

test('a release collision ends as PS3.8 table 9-10 says', options, async () => {
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') socket.write(accept());
    // Our own A-RELEASE-RQ crosses theirs; they answer after we have.
    if (event.kind === 'release-request') socket.write(releaseRequestPdu);
    if (event.kind === 'release-response')
      socket.write(concatBytes(Uint8Array.of(6, 0, 0, 0, 0, 4, 0, 0, 0, 0)));
  });
  const association = await opened(port);
  await association.release();
  assert(!association.isOpen);
});

test('between 1 and 128 contexts', options, async () => {
  const context = { abstractSyntax: ctImageStorage, transferSyntaxes: [uids.implicitVrLittleEndian] };
  await assert.rejects(
    openAssociation(optionsFor(1, { contexts: Array.from({ length: 129 }, () => context) })),
    /128 contexts/,
  );
  await assert.rejects(openAssociation(optionsFor(1, { contexts: [] })), /128 contexts/);
});
