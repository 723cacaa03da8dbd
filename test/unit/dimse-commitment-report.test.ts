/**
 * The result of a storage commitment, as a modality gets it: on an association of the box's own, with the SCP role and in
 * Implicit VR Little Endian (PS3.4 J.3.3). Gateways that proposed anything else were not heard by some modalities.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, decodeCommand, encodeCommand } from '../../firmware/dimse/command.ts';
import { type DataSet, decodeDataSet } from '../../firmware/dimse/data-set.ts';
import { reportCommitment, uids } from '../../firmware/dimse/index.ts';
import {
  type AssociateRequest,
  encodeReleaseResponse,
  type UserInformation,
} from '../../firmware/dimse/pdu.ts';
import { realClock } from '../fakes/real-clock.ts';
import { dataPdu, pdv } from '../support/dimse-peer.ts';
import { acceptPdu, scriptedScp } from '../support/scripted-scp.ts';

const options = { timeout: 20_000 };
const { storageCommitmentSopClass, implicitVrLittleEndian } = uids;

interface Heard {
  request?: AssociateRequest;
  report?: Command;
  dataSet?: DataSet;
}

/** A modality that answers roles as it does, if at all, and the report with this status. */
async function modality(roles: UserInformation['roles'], status: number) {
  const heard: Heard = {};
  const port = await scriptedScp((event, socket) => {
    if (event.kind === 'associate-request') {
      heard.request = event.request;
      const contexts = [{ id: 1, result: 0, transferSyntax: implicitVrLittleEndian }];
      socket.write(acceptPdu(contexts, undefined, roles));
    }
    if (event.kind === 'release-request') socket.end(encodeReleaseResponse());
    if (event.kind !== 'data') return;
    if (event.fragment.command) {
      const decoded = decodeCommand(event.fragment.bytes);
      assert.ok(decoded.kind === 'command');
      heard.report = decoded.command;
      return;
    }
    const decoded = decodeDataSet(event.fragment.bytes, implicitVrLittleEndian);
    assert.ok(decoded.kind === 'data-set');
    heard.dataSet = decoded.dataSet;
    const response = {
      commandField: 0x8100,
      hasDataSet: false,
      messageIdBeingRespondedTo: heard.report?.messageId ?? 0,
      status,
    };
    socket.write(dataPdu(pdv(1, 'command', true, encodeCommand(response))));
  });
  return { heard, port };
}

const committed = { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', sopInstanceUid: '1.2.3.1' };
const missing = { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', sopInstanceUid: '1.2.3.2' };

function report(port: number): Promise<void> {
  const peer = { host: '127.0.0.1', port, callingAeTitle: 'HILUM', calledAeTitle: 'CT1', clock: realClock };
  const failed = [{ ...missing, failureReason: 0x0112 }];
  return reportCommitment(peer, { transactionUid: '1.2.9', committed: [committed], failed });
}

const scp = { sopClassUid: storageCommitmentSopClass, scu: false, scp: true };

for (const [name, roles] of [
  ['takes the role', [scp]],
  ['says nothing about roles', []],
] as const) {
  test(`a modality that ${name} gets the result in Implicit VR, from an SCP`, options, async () => {
    const { heard, port } = await modality(roles, 0x0000);
    await report(port);
    assert.deepEqual(heard.request?.contexts, [
      { id: 1, abstractSyntax: storageCommitmentSopClass, transferSyntaxes: [implicitVrLittleEndian] },
    ]);
    assert.deepEqual(heard.request.userInformation.roles, [scp]);
    assert.deepEqual([heard.report?.commandField, heard.report?.eventTypeId], [0x0100, 2]);
    assert.equal(heard.report?.affectedSopClassUid, storageCommitmentSopClass);
    const referenced = ({ sopClassUid, sopInstanceUid }: typeof committed): DataSet => ({
      '00081150': { vr: 'UI', values: [sopClassUid] },
      '00081155': { vr: 'UI', values: [sopInstanceUid] },
    });
    assert.deepEqual(heard.dataSet, {
      '00081195': { vr: 'UI', values: ['1.2.9'] },
      '00081199': { vr: 'SQ', values: [referenced(committed)] },
      '00081198': {
        vr: 'SQ',
        values: [{ ...referenced(missing), '00081197': { vr: 'US', values: ['274'] } }],
      },
    });
  });
}

test(
  'a result that a modality does not confirm is not delivered, and says with which status',
  options,
  async () => {
    const { port } = await modality([scp], 0x0110);
    await assert.rejects(report(port), { code: 'COMMITMENT_UNDELIVERED', message: /0x0110|0110/ });
  },
);
