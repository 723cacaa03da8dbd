/** Services of the acceptor, asked by our own requestor and by a peer that sends raw bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, commandField, encodeCommand } from '../../firmware/dimse/command.ts';
import { type ServiceOperation, type ServiceResponse, uids } from '../../firmware/dimse/index.ts';
import {
  dataSetElementMemoryBytes,
  dataSetValueMemoryBytes,
  identifierBytesHeldMax,
  identifierBytesMax,
} from '../../firmware/dimse/limits.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, fromHex, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import {
  associateRequest,
  ctImageStorage,
  dataPdu,
  echoCommand,
  MemoryStore,
  pdv,
  RawPeer,
  releaseRequestPdu,
  settle,
} from '../support/dimse-peer.ts';
import { abort, associated, closing, started } from '../support/dimse-scp-fixture.ts';
import {
  all,
  commitment,
  getting,
  identifier,
  level,
  nextCommand,
  opened,
  type Perform,
  service,
  studyRootFind,
  studyRootGet,
} from '../support/dimse-service-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const options = { timeout: 20_000 };
const match = (number: number): DataSet => ({ '00200010': { vr: 'SH', values: [String(number)] } });
/** So long that the buffers between the two hold only some. */
const longMatch = (number: number): DataSet => ({
  ...match(number),
  '00104000': { vr: 'LT', values: ['x'.repeat(60_000)] },
});

/** A raw peer with a context of the query service. */
async function rawQuerier(perform: Perform, change: Parameters<typeof started>[1] = {}): Promise<RawPeer> {
  const scp = await started(new MemoryStore(), { services: [service(perform)], ...change });
  return associated(scp, {
    contexts: [
      { id: 1, abstractSyntax: studyRootFind, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { id: 3, abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
  });
}

const findCommand = (messageId = 1): Uint8Array =>
  encodeCommand({
    commandField: commandField.findRequest,
    hasDataSet: true,
    messageId,
    priority: 0,
    affectedSopClassUid: studyRootFind,
  });
const findMessage = (messageId = 1): Uint8Array =>
  dataPdu(pdv(1, 'command', true, findCommand(messageId)), pdv(1, 'data', true, identifier));
const cancelMessage = (messageId: number): Uint8Array =>
  dataPdu(
    pdv(
      1,
      'command',
      true,
      encodeCommand({
        commandField: commandField.cancelRequest,
        hasDataSet: false,
        messageIdBeingRespondedTo: messageId,
      }),
    ),
  );

test('C-FIND: the service gets the identifier and its peer, the requestor each match', options, async () => {
  let seen: ServiceOperation | undefined;
  const scp = await started(new MemoryStore(), {
    services: [
      service(async (operation) => {
        seen = operation;
        for (let number = 1; number <= 300; number++)
          await operation.pending({ status: 0xff00, dataSet: match(number) });
        return { status: 0 };
      }),
    ],
  });
  const association = await opened(scp);
  const matches = await all(association.find(studyRootFind, level));
  assert.deepEqual(
    matches,
    Array.from({ length: 300 }, (_, index) => match(index + 1)),
  );
  assert.deepEqual(seen?.dataSet, level);
  assert.deepEqual(seen?.peer, {
    callingAeTitle: 'WORKSTATION',
    calledAeTitle: 'HILUM',
    remoteAddress: '127.0.0.1',
  });
  assert.equal(seen?.transferSyntaxUid, uids.explicitVrLittleEndian);
  assert.deepEqual(await association.echo(), { status: 0 });
  await association.release();
});

test(
  'a query that fails throws with its status; a fault of the service is answered by its code',
  options,
  async () => {
    const outcomes: (() => ServiceResponse)[] = [
      () => ({ status: 0xa900, comment: 'no level' }),
      () => {
        throw new AppError('STORE_FAILED', 'disk');
      },
      () => {
        throw new Error('unforeseen');
      },
    ];
    const logger = new RecordingLogger();
    const scp = await started(new MemoryStore(), {
      logger,
      services: [service(async () => (outcomes.shift() as () => ServiceResponse)())],
    });
    const association = await opened(scp);
    for (const status of [/0xA900/, /0xA700/, /0x0110/])
      await assert.rejects(all(association.find(studyRootFind, level)), status);
    assert.equal(logger.lines.filter((line) => line.includes('an operation failed')).length, 2);
  },
);

test(
  'who stops taking matches cancels: the service hears of it, the association goes on',
  options,
  async () => {
    const cancelled: unknown[] = [];
    const scp = await started(new MemoryStore(), {
      services: [
        service(async (operation) => {
          try {
            for (let number = 0; ; number++)
              await operation.pending({ status: 0xff00, dataSet: longMatch(number) });
          } catch (error) {
            cancelled.push(error);
            throw error;
          }
        }),
      ],
    });
    const association = await opened(scp);
    for await (const found of association.find(studyRootFind, level))
      if (found['00200010']?.values[0] === '7') break;
    assert.equal((cancelled[0] as Error).name, 'OperationCancelled');
    const abortion = new AbortController();
    const reason = new Error('enough');
    await assert.rejects(async () => {
      for await (const found of association.find(studyRootFind, level, abortion.signal))
        if (found['00200010']?.values[0] === '7') abortion.abort(reason);
    }, reason);
    assert.equal(cancelled.length, 2);
    assert.deepEqual(await association.echo(), { status: 0 });
  },
);

test('C-CANCEL ends its own operation with FE00, and no other', options, async () => {
  const signals: AbortSignal[] = [];
  const peer = await rawQuerier(({ signal }) => {
    signals.push(signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  });
  peer.send(findMessage(7));
  peer.send(cancelMessage(6));
  await settle();
  assert.equal(signals[0]?.aborted, false);
  peer.send(cancelMessage(7));
  const response = await nextCommand(peer);
  assert.deepEqual(response, {
    commandField: 0x8020,
    hasDataSet: false,
    messageIdBeingRespondedTo: 7,
    status: 0xfe00,
    affectedSopClassUid: studyRootFind,
  });
});

test('a request that comes while an operation runs is answered after it', options, async () => {
  const done = Promise.withResolvers<ServiceResponse>();
  let performed = 0;
  const peer = await rawQuerier(() => (performed++, done.promise));
  peer.send(findMessage(1), dataPdu(pdv(3, 'command', true, echoCommand(2))), findMessage(3));
  await settle();
  assert.equal(performed, 1);
  done.resolve({ status: 0 });
  assert.deepEqual(
    [await nextCommand(peer), await nextCommand(peer), await nextCommand(peer)].map(
      ({ messageIdBeingRespondedTo: id }) => id,
    ),
    [1, 2, 3],
  );
});

test(
  'an operation whose association ends is told so, and the place is held until it has ended',
  options,
  async () => {
    for (const end of ['release', 'cut', 'stop'] as const) {
      const finished = Promise.withResolvers<ServiceResponse>();
      const signals: AbortSignal[] = [];
      const scp = await started(new MemoryStore(), {
        services: [service(({ signal }) => (signals.push(signal), finished.promise))],
      });
      const peer = await associated(scp, {
        contexts: [{ id: 1, abstractSyntax: studyRootFind, transferSyntaxes: [uids.implicitVrLittleEndian] }],
      });
      peer.send(findMessage());
      await settle();
      let ended = false;
      if (end === 'release') peer.send(releaseRequestPdu);
      if (end === 'cut') peer.close();
      const stopping = end === 'stop' ? scp.stop() : settle();
      void stopping.then(() => (ended = end === 'stop'));
      await settle();
      assert.equal((signals[0]?.reason as AppError).code, 'DIMSE_PROTOCOL');
      assert.equal(ended, false);
      finished.resolve({ status: 0 });
      await stopping;
      if (end === 'release') assert.equal((await peer.next())?.kind, 'release-response');
    }
  },
);

test(
  'while a service is at work the peer may be silent; afterwards its silence counts',
  options,
  async () => {
    const clock = new ManualClock();
    const done = Promise.withResolvers<ServiceResponse>();
    const peer = await rawQuerier(() => done.promise, { clock });
    peer.send(findMessage());
    await settle();
    clock.advance(24 * 3_600_000);
    await settle();
    done.resolve({ status: 0 });
    assert.equal(await peer.status(), 0);
    await settle();
    clock.advance(600_000);
    assert.deepEqual(await peer.next(), abort(0, 0));
  },
);

test('identifiers that cannot be held or read are answered, and cost the sender only', options, async () => {
  let performed = 0;
  const peer = await rawQuerier(async () => (performed++, { status: 0 }));
  const piece = new Uint8Array(100_000);
  peer.send(dataPdu(pdv(1, 'command', true, findCommand())));
  for (let sent = 0; sent <= identifierBytesMax; sent += piece.length)
    peer.send(dataPdu(pdv(1, 'data', false, piece)));
  peer.send(dataPdu(pdv(1, 'data', true, piece)));
  assert.equal(await peer.status(), 0xa700);
  peer.send(dataPdu(pdv(1, 'command', true, findCommand()), pdv(1, 'data', true, utf8('no data set'))));
  assert.equal(await peer.status(), 0xc000);
  peer.send(findMessage());
  assert.equal(await peer.status(), 0);
  assert.equal(performed, 1);
});

test('all identifiers together are bounded, and each gives its room back', options, async () => {
  const done = Promise.withResolvers<ServiceResponse>();
  const services = [service(() => done.promise)];
  const scp = await started(new MemoryStore(), { services });
  const contexts = [
    { id: 1, abstractSyntax: studyRootFind, transferSyntaxes: [uids.implicitVrLittleEndian] },
  ];
  const value = new Uint8Array(identifierBytesMax - 8);
  const header = concatBytes(fromHex('09000110'), Uint8Array.from([...u32(value.length)].reverse()));
  const pieces = Array.from({ length: value.length / 65_528 + 1 }, (_, index) =>
    value.subarray(index * 65_528, (index + 1) * 65_528),
  );
  const big = concatBytes(
    dataPdu(pdv(1, 'command', true, findCommand())),
    ...[header, ...pieces].map((piece) => dataPdu(pdv(1, 'data', false, piece))),
    dataPdu(pdv(1, 'data', true, new Uint8Array(0))),
  );
  const holding: RawPeer[] = [];
  // Held as it came and as it was decoded: one element with one value.
  const room = 2 * identifierBytesMax + dataSetElementMemoryBytes + dataSetValueMemoryBytes;
  for (let held = 0; held + room <= identifierBytesHeldMax; held += room) {
    const peer = await associated(scp, { contexts });
    peer.send(big);
    holding.push(peer);
  }
  await settle();
  const late = await associated(scp, { contexts });
  late.send(big);
  assert.equal(await late.status(), 0xa700);
  // One that is cut off gives its room back too.
  holding.shift()?.close();
  await settle();
  done.resolve({ status: 0 });
  for (const peer of holding) assert.equal(await peer.status(), 0);
  late.send(big);
  assert.equal(await late.status(), 0);
});

test('what a caller may not do is refused in its contexts, with result 1', options, async () => {
  const scp = await started(new MemoryStore(), {
    admit: () => ({ may: new Set(['query'] as const) }),
    services: [service(async () => ({ status: 0 })), getting(async () => ({ status: 0 }))],
  });
  const peer = closing(await RawPeer.connect(scp.port));
  const implicit = [uids.implicitVrLittleEndian];
  const request = associateRequest({
    contexts: [
      { id: 1, abstractSyntax: studyRootFind, transferSyntaxes: implicit },
      { id: 3, abstractSyntax: studyRootGet, transferSyntaxes: implicit },
      { id: 5, abstractSyntax: ctImageStorage, transferSyntaxes: implicit },
      { id: 7, abstractSyntax: uids.verificationSopClass, transferSyntaxes: implicit },
      { id: 9, abstractSyntax: commitment, transferSyntaxes: implicit },
      { id: 11, abstractSyntax: studyRootFind, transferSyntaxes: ['1.2.840.10008.1.2.4.50'] },
    ],
    user: { roles: [{ sopClassUid: ctImageStorage, scu: true, scp: true }] },
  });
  peer.send(encodeAssociateRequest(request));
  const answer = await peer.next();
  assert(answer?.kind === 'associate-accept');
  assert.deepEqual(
    answer.accept.contexts.map(({ id, result }) => [id, result]),
    [
      [1, 0],
      [3, 1],
      [5, 1],
      [7, 0],
      [9, 3],
      [11, 4],
    ],
  );
  assert.deepEqual(answer.accept.userInformation.roles, [
    { sopClassUid: ctImageStorage, scu: false, scp: false },
  ]);
});

test('a context that is open for one service does not open another one of its class', options, async () => {
  let reports = 0;
  const scp = await started(new MemoryStore(), {
    admit: () => ({ may: new Set(['query'] as const) }),
    services: [
      service(async () => ({ status: 0 }), { sopClasses: [commitment] }),
      service(async () => (reports++, { status: 0 }), {
        sopClasses: [commitment],
        permission: 'commitment',
        requestorRole: 'scp',
      }),
    ],
  });
  const association = await opened(scp);
  assert.deepEqual(await association.action(commitment, '1.2', 1), {
    status: 0,
    affectedSopInstanceUid: '1.2',
  });
  assert.equal((await association.eventReport(commitment, '1.2', 1)).status, 0x0124);
  assert.equal(reports, 0);
});

test('roles, extended negotiation and user identity are proposed, judged and answered', options, async () => {
  let negotiated: Uint8Array | undefined;
  const admissions: unknown[] = [];
  const scp = await started(new MemoryStore(), {
    admit: (request) => {
      admissions.push(request);
      return {
        may: new Set(['query', 'commitment', 'store'] as const),
        userIdentityResponse: utf8('ticket'),
      };
    },
    services: [
      service(async (operation) => ((negotiated = operation.extendedNegotiation), { status: 0 }), {
        answerExtendedNegotiation: (_, proposed) => proposed.map((byte) => byte & 1),
      }),
      service(async () => ({ status: 0 }), {
        sopClasses: [commitment],
        permission: 'commitment',
        requestorRole: 'scp',
      }),
    ],
  });
  const userIdentity = {
    type: 2,
    responseRequested: true,
    primary: utf8('admin'),
    secondary: utf8('secret'),
  };
  const association = await opened(scp, {
    contexts: [
      { abstractSyntax: studyRootFind, transferSyntaxes: [uids.implicitVrLittleEndian] },
      {
        abstractSyntax: commitment,
        transferSyntaxes: [uids.implicitVrLittleEndian],
        roles: { scu: false, scp: true },
      },
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.implicitVrLittleEndian],
        roles: { scu: true, scp: true },
      },
    ],
    extendedNegotiation: [{ sopClassUid: studyRootFind, information: fromHex('0302') }],
    userIdentity,
  });
  assert.equal(association.isScpOf(commitment), true);
  // Nothing here retrieves by C-GET.
  assert.equal(association.isScpOf(ctImageStorage), false);
  assert.deepEqual(association.extendedNegotiation(studyRootFind), fromHex('0100'));
  assert.deepEqual(association.userIdentityResponse, utf8('ticket'));
  assert.deepEqual(admissions, [
    {
      callingAeTitle: 'WORKSTATION',
      calledAeTitle: 'HILUM',
      remoteAddress: '127.0.0.1',
      sopClassUids: [studyRootFind, commitment, ctImageStorage],
      userIdentity,
    },
  ]);
  await all(association.find(studyRootFind, level));
  assert.deepEqual(negotiated, fromHex('0100'));
  const unasked = await opened(scp, { userIdentity: { ...userIdentity, responseRequested: false } });
  assert.equal(unasked.userIdentityResponse, undefined);
});

test('N-services: their elements go there and back', options, async () => {
  const seen: Command[] = [];
  const scp = await started(new MemoryStore(), {
    services: [
      service(
        async ({ command: request, dataSet }) => {
          seen.push(request);
          return { status: 0, affectedSopInstanceUid: '1.9', ...(dataSet && { dataSet }) };
        },
        { sopClasses: [commitment], permission: 'commitment', requestorRole: 'either' },
      ),
    ],
  });
  const association = await opened(scp);
  const answer = { status: 0, affectedSopInstanceUid: '1.9' };
  assert.deepEqual(await association.action(commitment, '1.2', 1, level), { ...answer, dataSet: level });
  assert.deepEqual(await association.eventReport(commitment, '1.3', 2, level), { ...answer, dataSet: level });
  assert.deepEqual(await association.create(commitment, undefined, level), { ...answer, dataSet: level });
  assert.deepEqual(await association.create(commitment, '1.4'), answer);
  assert.deepEqual(await association.set(commitment, '1.5', level), { ...answer, dataSet: level });
  const base = { hasDataSet: true } as const;
  assert.deepEqual(
    seen.map(({ messageId: _, ...request }) => request),
    [
      {
        ...base,
        commandField: 0x0130,
        requestedSopClassUid: commitment,
        requestedSopInstanceUid: '1.2',
        actionTypeId: 1,
      },
      {
        ...base,
        commandField: 0x0100,
        affectedSopClassUid: commitment,
        affectedSopInstanceUid: '1.3',
        eventTypeId: 2,
      },
      { ...base, commandField: 0x0140, affectedSopClassUid: commitment },
      {
        hasDataSet: false,
        commandField: 0x0140,
        affectedSopClassUid: commitment,
        affectedSopInstanceUid: '1.4',
      },
      { ...base, commandField: 0x0120, requestedSopClassUid: commitment, requestedSopInstanceUid: '1.5' },
    ],
  );
});
