/** Command sets, byte by byte (PS3.7 6.3.1, annex E). */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type Command, commandField, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { concatBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';

const move: Command = {
  commandField: 0x0021,
  hasDataSet: true,
  messageId: 7,
  priority: 0,
  affectedSopClassUid: '1.2',
  moveDestination: 'DEST1',
};
const moveBytes = [
  '000000000400000042000000',
  '0000020004000000312e3200',
  '00000001020000002100',
  '00001001020000000700',
  '0000000606000000444553543120',
  '00000007020000000000',
  '00000008020000000100',
];

const response: Command = {
  commandField: 0x8021,
  hasDataSet: false,
  messageIdBeingRespondedTo: 7,
  status: 0xff00,
  remainingSubOperations: 1,
  completedSubOperations: 2,
  failedSubOperations: 3,
  warningSubOperations: 4,
};
const responseBytes = [
  '000000000400000050000000',
  '00000001020000002180',
  '00002001020000000700',
  '00000008020000000101',
  '000000090200000000ff',
  '00002010020000000100',
  '00002110020000000200',
  '00002210020000000300',
  '00002310020000000400',
];

test('a C-MOVE request and its response are the bytes of annex E, in order', () => {
  assert.equal(toHex(encodeCommand(move)), moveBytes.join(''));
  assert.equal(toHex(encodeCommand(response)), responseBytes.join(''));
});

test('the elements of the N-services are written and read', () => {
  const commands: readonly Command[] = [
    move,
    response,
    {
      commandField: 0x0110,
      hasDataSet: false,
      messageId: 1,
      requestedSopClassUid: '1.2.3',
      requestedSopInstanceUid: '1.2.4',
    },
    { commandField: 0x0130, hasDataSet: true, messageId: 2, actionTypeId: 1 },
    { commandField: 0x0100, hasDataSet: true, messageId: 3, eventTypeId: 2 },
    {
      commandField: 0x8140,
      hasDataSet: false,
      messageIdBeingRespondedTo: 4,
      status: 0x0106,
      errorId: 5,
      errorComment: 'wrong',
      affectedSopInstanceUid: '1.2.5',
    },
  ];
  for (const command of commands)
    assert.deepEqual(decodeCommand(encodeCommand(command)), { kind: 'command', command });
});

test('lists of tags, which nobody reads, are skipped whatever their length', () => {
  const command: Command = { commandField: commandField.echoRequest, hasDataSet: false, messageId: 1 };
  const [echo, tags] = [encodeCommand(command), new Uint8Array(16_000)];
  const list = fromHex('00000510803e0000');
  const reads = mock.method(DataView.prototype, 'getUint16').mock;
  try {
    assert.deepEqual(decodeCommand(concatBytes(echo, list, tags)), { kind: 'command', command });
    assert(reads.callCount() < 50, `${reads.callCount()} numbers were read`);
  } finally {
    reads.restore();
  }
});
