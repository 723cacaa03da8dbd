/** N-EVENT-REPORT that comes on the association that we requested (PS3.7 10.1.1): storage commitment answers so. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { type Command, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { type AssociationOptions, type EventReport, uids } from '../../firmware/dimse/index.ts';
import { PduReader } from '../../firmware/dimse/pdu-reader.ts';
import { encodeAddressing, encodeAssociateAccept } from '../../firmware/dimse/pdu.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { dataPdu, pdv } from '../support/dimse-peer.ts';
import { running } from '../support/dimse-scp-fixture.ts';
import { commitment, level, opened } from '../support/dimse-service-fixture.ts';

const options = { timeout: 20_000 };

const message = (command: Command, dataSet?: Uint8Array): Uint8Array =>
  concatBytes(
    dataPdu(pdv(1, 'command', true, encodeCommand(command))),
    ...(dataSet === undefined ? [] : [dataPdu(pdv(1, 'data', true, dataSet))]),
  );

/** An SCP that answers N-ACTION, and before that sends this report. `answers` are the responses to it. */
async function reporting(
  report: Uint8Array,
): Promise<{ readonly port: number; readonly answers: Command[] }> {
  const answers: Command[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const reader = new PduReader(0xffffffff);
    socket.on('error', (error) => assert.match(error.message, /ECONNRESET|EPIPE/));
    socket.on('data', (chunk: Uint8Array) => {
      reader.push(chunk);
      for (let event = reader.next(); event !== undefined; event = reader.next()) {
        if (event.kind === 'associate-request') {
          const userInformation = {
            pduBytesMax: 0,
            implementationClassUid: '1.2',
            roles: [],
            extendedNegotiation: [],
          };
          const contexts = [{ id: 1, result: 0, transferSyntax: uids.implicitVrLittleEndian }];
          socket.write(
            encodeAssociateAccept(
              { contexts, userInformation },
              encodeAddressing('HILUM', 'BOX'),
              uids.applicationContextName,
            ),
          );
        }
        if (event.kind !== 'data' || !event.fragment.command) continue;
        const decoded = decodeCommand(event.fragment.bytes);
        assert(decoded.kind === 'command');
        if (decoded.command.commandField === 0x0130) socket.write(report);
        if (decoded.command.commandField !== 0x8100) continue;
        answers.push(decoded.command);
        socket.write(
          message({ commandField: 0x8130, hasDataSet: false, messageIdBeingRespondedTo: 1, status: 0 }),
        );
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push({
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  return { port: address.port, answers };
}

const report: Command = {
  commandField: 0x0100,
  hasDataSet: true,
  messageId: 77,
  affectedSopClassUid: commitment,
  affectedSopInstanceUid: '1.2.840.10008.1.20.1.1',
  eventTypeId: 1,
};

/** Sends the report to an association with these options, and gives the status that we answered. */
async function answered(sent: Uint8Array, change: Partial<AssociationOptions>): Promise<number | undefined> {
  const { port, answers } = await reporting(sent);
  const contexts = [{ abstractSyntax: commitment, transferSyntaxes: [uids.implicitVrLittleEndian] }];
  const association = await opened({ port }, { contexts, ...change });
  assert.deepEqual(await association.action(commitment, '1.2', 1, level), { status: 0 });
  assert.deepEqual(
    answers.map(({ messageIdBeingRespondedTo: id, eventTypeId }) => [id, eventTypeId]),
    [[77, 1]],
  );
  return answers[0]?.status;
}

test('a report is handed on with its data set, and answered as its taker says', options, async () => {
  const taken: EventReport[] = [];
  const dataSet = encodeDataSet(level, uids.implicitVrLittleEndian);
  const status = await answered(message(report, dataSet), {
    eventReport: async (each) => (taken.push(each), { status: 0 }),
  });
  assert.equal(status, 0);
  const { affectedSopInstanceUid } = report;
  assert.deepEqual(taken, [
    { sopClassUid: commitment, sopInstanceUid: affectedSopInstanceUid, eventTypeId: 1, dataSet: level },
  ]);
});

test('what cannot be taken is not confirmed', options, async () => {
  const whole = message(report, encodeDataSet(level, uids.implicitVrLittleEndian));
  assert.equal(await answered(whole, {}), 0x0211);
  const failing = { eventReport: () => Promise.reject(new AppError('STORE_FAILED', 'disk')) };
  assert.equal(await answered(whole, failing), 0xa700);
  const taking = { eventReport: async () => ({ status: 0 }) };
  assert.equal(await answered(message(report, utf8('no data set')), taking), 0x0110);
  assert.equal(await answered(message({ ...report, hasDataSet: false }), taking), 0);
});
