/** Command sets, byte by byte (PS3.7 6.3.1, annex E). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';

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
      attributeIdentifierList: ['00100010', '0020000D'],
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
      offendingElement: ['00400252'],
      affectedSopInstanceUid: '1.2.5',
    },
  ];
  for (const command of commands)
    assert.deepEqual(decodeCommand(encodeCommand(command)), { kind: 'command', command });
});

test('a list of tags that is cut off is malformed', () => {
  const result = decodeCommand(fromHex('0000051006000000' + '100010002000'));
  assert(result.kind === 'malformed');
  assert.match(result.reason, /\(0000,1005\) is no list of tags/);
});
