/** N-EVENT-REPORT that comes on the association that we requested (PS3.7 10.1.1): storage commitment answers so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { type AssociationOptions, type EventReport, uids } from '../../firmware/dimse/index.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { dataPdu, pdv } from '../support/dimse-peer.ts';
import { commitment, level, opened } from '../support/dimse-service-fixture.ts';
import { acceptPdu, scriptedScp } from '../support/scripted-scp.ts';

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
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request')
      socket.write(acceptPdu([{ id: 1, result: 0, transferSyntax: uids.implicitVrLittleEndian }], 0));
    if (event.kind !== 'data' || !event.fragment.command) return;
    const decoded = decodeCommand(event.fragment.bytes);
    assert(decoded.kind === 'command');
    if (decoded.command.commandField === 0x0130) socket.write(report);
    if (decoded.command.commandField !== 0x8100) return;
    answers.push(decoded.command);
    socket.write(
      message({ commandField: 0x8130, hasDataSet: false, messageIdBeingRespondedTo: 1, status: 0 }),
    );
  });
  return { port, answers };
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
