/** A procedure step on its way to the department system: what the modality encoded is what arrives, where that can be. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { type Command, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { decodeDataSet } from '../../firmware/dimse/data-set.ts';
import { uids } from '../../firmware/dimse/index.ts';
import type { PduEvent } from '../../firmware/dimse/pdu-reader.ts';
import { relayProcedureStep } from '../../firmware/dimse/procedure-step.ts';
import { concatBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { realClock } from '../fakes/real-clock.ts';
import { dataPdu, pdv } from '../support/dimse-peer.ts';
import { acceptPdu, scriptedScp } from '../support/scripted-scp.ts';

const options = { timeout: 20_000 };
const releaseReplyPdu = Uint8Array.of(6, 0, 0, 0, 0, 4, 0, 0, 0, 0);
const responseBit = 0x8000;

interface Taken {
  readonly command: Command;
  readonly transferSyntaxUid: string;
  readonly dataSet: Uint8Array;
}

/** A department system that takes procedure steps in one transfer syntax only. */
class DepartmentSystem {
  readonly taken: Taken[] = [];
  readonly #transferSyntaxUid: string;
  readonly #pieces: Uint8Array[] = [];
  #command: Command | undefined;
  port = 0;

  constructor(transferSyntaxUid: string) {
    this.#transferSyntaxUid = transferSyntaxUid;
  }

  static async start(transferSyntaxUid: string): Promise<DepartmentSystem> {
    const system = new DepartmentSystem(transferSyntaxUid);
    system.port = await scriptedScp((event, socket) => system.#answer(event, socket));
    return system;
  }

  #answer(event: PduEvent, socket: Socket): void {
    if (event.kind === 'associate-request') {
      const contexts = event.request.contexts.map(({ id, transferSyntaxes }) => {
        const isTaken = transferSyntaxes.includes(this.#transferSyntaxUid);
        return { id, result: isTaken ? (0 as const) : (4 as const), transferSyntax: this.#transferSyntaxUid };
      });
      socket.write(acceptPdu(contexts, 4096));
    } else if (event.kind === 'data' && event.fragment.command) {
      const decoded = decodeCommand(event.fragment.bytes);
      assert(event.fragment.last && decoded.kind === 'command');
      this.#command = decoded.command;
    } else if (event.kind === 'data') {
      this.#pieces.push(Uint8Array.from(event.fragment.bytes));
      if (event.fragment.last) socket.write(this.#take(event.fragment.contextId));
    } else if (event.kind === 'release-request') {
      socket.end(releaseReplyPdu);
    }
  }

  #take(contextId: number): Uint8Array {
    const command = this.#command;
    assert(command !== undefined);
    const dataSet = concatBytes(...this.#pieces.splice(0));
    this.taken.push({ command, transferSyntaxUid: this.#transferSyntaxUid, dataSet });
    const response = encodeCommand({
      commandField: command.commandField | responseBit,
      hasDataSet: false,
      status: 0,
      ...(command.messageId !== undefined && { messageIdBeingRespondedTo: command.messageId }),
    });
    return dataPdu(pdv(contextId, 'command', true, response));
  }
}

/** Explicit VR Little Endian as modalities write it and our encoder does not: undefined lengths, a value padded at length. */
const asItCame = fromHex(
  [
    '08000500 4353 0a00 49534f5f495220313030', // Specific Character Set ISO_IR 100
    '10001000 504e 0800 4de46e6e5e412020', // Patient's Name Männ^A and two spaces
    '40005202 4353 0c00 494e2050524f475245535320', // Performed Procedure Step Status IN PROGRESS
    '40007002 5351 0000 ffffffff feff00e0 ffffffff', // Scheduled Step Attributes Sequence, its item
    '20000d00 5549 0600 312e322e3300', // Study Instance UID 1.2.3
    'feff0de0 00000000 feffdde0 00000000',
    '41001000 4c4f 0400 41434d45', // private creator ACME
    '41000110 554e 0000 04000000 01020304',
  ]
    .join('')
    .replaceAll(' ', ''),
);

const message = {
  sopInstanceUid: '1.2.3.4',
  transferSyntaxUid: uids.explicitVrLittleEndian,
  dataSetBytes: asItCame,
};

async function relay(system: DepartmentSystem, kind: 'create' | 'set'): Promise<number> {
  const peer = { host: '127.0.0.1', port: system.port, callingAeTitle: 'HILUM', calledAeTitle: 'RIS' };
  return relayProcedureStep({ ...peer, clock: realClock }, { ...message, kind });
}

test('a system that takes the transfer syntax of the modality gets its bytes', options, async () => {
  const system = await DepartmentSystem.start(uids.explicitVrLittleEndian);
  assert.equal(await relay(system, 'create'), 0);
  assert.equal(await relay(system, 'set'), 0);
  assert.deepEqual(
    system.taken.map(({ dataSet }) => toHex(dataSet)),
    [toHex(asItCame), toHex(asItCame)],
  );
  const [created, set] = system.taken;
  assert.equal(created?.command.affectedSopInstanceUid, '1.2.3.4');
  assert.equal(set?.command.requestedSopInstanceUid, '1.2.3.4');
});

test(
  'a system that does not take it gets the same content in Implicit VR Little Endian',
  options,
  async () => {
    const system = await DepartmentSystem.start(uids.implicitVrLittleEndian);
    assert.equal(await relay(system, 'create'), 0);
    const [taken] = system.taken;
    assert(taken !== undefined);
    const came = decodeDataSet(asItCame, uids.explicitVrLittleEndian);
    const arrived = decodeDataSet(taken.dataSet, uids.implicitVrLittleEndian);
    assert(came.kind === 'data-set' && arrived.kind === 'data-set');
    assert.deepEqual(arrived.dataSet, came.dataSet);
  },
);
