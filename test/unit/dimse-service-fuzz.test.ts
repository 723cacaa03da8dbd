/**
 * Messages of the services in any order, cut, repeated and damaged, with fixed seeds: the server stays up, every service
 * that was begun ends, and no room is lost.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Command, commandField, encodeCommand } from '../../firmware/dimse/command.ts';
import { type ServiceOperation, type ServiceResponse, uids } from '../../firmware/dimse/index.ts';
import { identifierBytesHeldMax } from '../../firmware/dimse/limits.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import {
  abortPdu,
  associateRequest,
  ctImageStorage,
  dataPdu,
  MemoryStore,
  pdv,
  releaseRequestPdu,
  until,
} from '../support/dimse-peer.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import {
  commitment,
  getting,
  identifier,
  opened,
  service,
  studyRootFind,
  studyRootGet,
} from '../support/dimse-service-fixture.ts';
import { inPieces } from '../support/dimse-tools.ts';

const requests: readonly Command[] = [
  { commandField: commandField.findRequest, hasDataSet: true, affectedSopClassUid: studyRootFind },
  { commandField: commandField.getRequest, hasDataSet: true, affectedSopClassUid: studyRootGet },
  {
    commandField: commandField.actionRequest,
    hasDataSet: true,
    requestedSopClassUid: commitment,
    actionTypeId: 1,
  },
  {
    commandField: commandField.eventReportRequest,
    hasDataSet: false,
    affectedSopClassUid: commitment,
    eventTypeId: 1,
  },
  {
    commandField: commandField.echoRequest,
    hasDataSet: false,
    affectedSopClassUid: uids.verificationSopClass,
  },
  {
    commandField: commandField.storeRequest,
    hasDataSet: true,
    affectedSopClassUid: ctImageStorage,
    affectedSopInstanceUid: '1.2.3',
  },
  { commandField: commandField.storeResponse, hasDataSet: false, status: 0 },
  { commandField: commandField.cancelRequest, hasDataSet: false },
];

/** The context of each abstract syntax below, and one that is not there. */
const contextIds = [1, 3, 5, 7, 9, 11];
const ownContextIds = [1, 3, 5, 5, 7, 9, 9, 1];

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

/** One message: mostly as it should be, its ids small so that they meet. */
const message = fc
  .record({
    index: fc.nat(requests.length - 1),
    elsewhere: seldom(fc.constantFrom(...contextIds)),
    id: fc.integer({ min: 1, max: 3 }),
    data: fc.oneof({ weight: 4, arbitrary: fc.constant(identifier) }, fc.uint8Array({ maxLength: 60 })),
    damage: seldom(fc.tuple(fc.nat(40), fc.nat(255))),
    ending: seldom(fc.constant('cut')),
  })
  .map(({ index, elsewhere, id, data, damage, ending }) => {
    const request = requests[index] as Command;
    const contextId = elsewhere ?? (ownContextIds[index] as number);
    const asked =
      (request.commandField & 0x8000) === 0 && request.commandField !== commandField.cancelRequest;
    const command = encodeCommand({
      ...request,
      ...(asked ? { messageId: id } : { messageIdBeingRespondedTo: id }),
    });
    if (damage !== null) command[damage[0] % command.length] = damage[1];
    const parts = [pdv(contextId, 'command', true, command)];
    if (request.hasDataSet) parts.push(pdv(contextId, 'data', ending === null, data));
    return dataPdu(...parts);
  });

const end = fc.constantFrom(releaseRequestPdu, abortPdu, new Uint8Array(0));

test('messages in any order and condition', { timeout: 60_000 }, async () => {
  let begun = 0;
  let ended = 0;
  const counted =
    (perform: (operation: ServiceOperation) => Promise<ServiceResponse>) =>
    async (operation: ServiceOperation): Promise<ServiceResponse> => {
      begun++;
      try {
        return await perform(operation);
      } finally {
        ended++;
      }
    };
  const object = {
    sopClassUid: ctImageStorage,
    sopInstanceUid: '1.2.3',
    transferSyntaxUid: uids.implicitVrLittleEndian,
  };
  const answering = counted(async (operation) => {
    await operation.pending({ status: 0xff00, dataSet: { '00200010': { vr: 'SH', values: ['1'] } } });
    await new Promise((resolve) => setImmediate(resolve));
    return { status: 0 };
  });
  const scp = await started(new MemoryStore(), {
    services: [
      service(answering),
      getting(
        counted(async (operation) => {
          await operation.store(object, inPieces(new Uint8Array(1000), 300));
          return { status: 0, subOperations: { completed: 1, failed: 0, warning: 0 } };
        }),
      ),
      service(answering, { sopClasses: [commitment], permission: 'commitment', requestorRole: 'either' }),
    ],
  });
  const abstractSyntaxes = [
    studyRootFind,
    studyRootGet,
    commitment,
    uids.verificationSopClass,
    ctImageStorage,
  ];
  const associate = encodeAssociateRequest(
    associateRequest({
      contexts: abstractSyntaxes.map((abstractSyntax, index) => ({
        id: 2 * index + 1,
        abstractSyntax,
        transferSyntaxes: [uids.implicitVrLittleEndian],
      })),
      user: { roles: [{ sopClassUid: ctImageStorage, scu: true, scp: true }] },
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 8 }), end, fc.boolean(), async (messages, last, slow) => {
      const socket = connect({ host: '127.0.0.1', port: scp.port });
      // To be cut off is what most of these deserve.
      socket.on('error', () => socket.destroy());
      socket.resume();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await Promise.race([once(socket, 'connect'), closed]);
      for (const piece of slow
        ? [associate, ...messages, last]
        : [concatBytes(associate, ...messages, last)]) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end();
      await closed;
    }),
    { seed: 3400, numRuns: 1000 },
  );
  await until(() => begun === ended && scp.associations === 0);
  assert(begun > 200, `${begun} operations were performed`);
  assert(scp.identifiers.take(identifierBytesHeldMax), 'all room has been given back');
  scp.identifiers.give(identifierBytesHeldMax);
  assert.deepEqual(await (await opened(scp)).echo(), { status: 0 });
});
