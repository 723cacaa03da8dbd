/** What one peer sends ends its own association at worst: neither long fields nor our own defects end the box. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCommand, commandField } from '../../firmware/dimse/command.ts';
import { abortReason, encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import type { DimseService } from '../../firmware/dimse/service.ts';
import type { DicomServer } from '../../firmware/dimse/index.ts';
import {
  associateRequest,
  ctImageStorage,
  dataPdu,
  echoCommand,
  MemoryStore,
  pdv,
  RawPeer,
} from '../support/dimse-peer.ts';
import { abort, associated, closing, started } from '../support/dimse-scp-fixture.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const options = { timeout: 30_000 };
const find = '1.2.840.10008.5.1.4.1.2.1.1';
const findContext = [{ id: 1, abstractSyntax: find, transferSyntaxes: ['1.2.840.10008.1.2'] }];

async function answered(
  scp: DicomServer,
  change: Parameters<typeof associateRequest>[0],
): Promise<Awaited<ReturnType<RawPeer['next']>>> {
  const peer = closing(await RawPeer.connect(scp.port));
  peer.send(encodeAssociateRequest(associateRequest(change)));
  return peer.next();
}

async function stillServes(scp: DicomServer): Promise<void> {
  const peer = await associated(scp);
  peer.send(dataPdu(pdv(3, 'command', true, echoCommand())));
  assert.equal(await peer.status(), 0);
  assert.equal(scp.associations, 1, 'the place of the one that failed is free again');
}

test('UIDs longer than 64 bytes are an invalid parameter, wherever they stand', options, async () => {
  const scp = await started(new MemoryStore());
  const long = '1'.repeat(65_000);
  const context = { id: 1, abstractSyntax: ctImageStorage, transferSyntaxes: ['1.2.840.10008.1.2'] };
  const changes = [
    { user: { roles: [{ sopClassUid: long, scu: true, scp: true }] } },
    { user: { implementationClassUid: long } },
    { user: { extendedNegotiation: [{ sopClassUid: long, information: new Uint8Array(1) }] } },
    { contexts: [{ ...context, abstractSyntax: long }] },
    { contexts: [{ ...context, transferSyntaxes: [long] }] },
    { applicationContextName: long },
    { applicationContextName: '1'.repeat(65) },
  ];
  for (const change of changes)
    assert.deepEqual(await answered(scp, change), abort(2, abortReason.invalidParameter));
  await stillServes(scp);
});

test('roles are answered for the SOP classes that are proposed, and for no others', options, async () => {
  const scp = await started(new MemoryStore());
  const others = Array.from({ length: 500 }, (_, index) => `${'1'.repeat(60)}.${index}`);
  const roles = [ctImageStorage, ...others].map((sopClassUid) => ({ sopClassUid, scu: true, scp: true }));
  const answer = await answered(scp, { user: { roles } });
  assert(answer?.kind === 'associate-accept');
  assert.deepEqual(answer.accept.userInformation.roles, [
    { sopClassUid: ctImageStorage, scu: true, scp: false },
  ]);
});

/** Fails where no failure is foreseen, once it is told to. */
class DefectiveService implements DimseService {
  readonly requestorRole = 'scu';
  readonly permission = 'query';
  defective: 'negotiation' | 'request' | undefined;

  get sopClasses(): readonly string[] {
    if (this.defective === 'request') throw new RangeError('a defect');
    return [find];
  }

  answerExtendedNegotiation(): Uint8Array | undefined {
    if (this.defective === 'negotiation') throw new RangeError('a defect');
    return undefined;
  }

  perform(): Promise<{ status: number }> {
    return Promise.resolve({ status: 0 });
  }
}

test(
  'a defect ends the association that meets it, is logged as an error, and no other feels it',
  options,
  async () => {
    const service = new DefectiveService();
    const logger = new RecordingLogger();
    const scp = await started(new MemoryStore(), { services: [service], logger });
    const errors = (): number => logger.lines.filter((line) => line.startsWith('error')).length;

    service.defective = 'negotiation';
    const extendedNegotiation = [{ sopClassUid: find, information: new Uint8Array(1) }];
    assert.deepEqual(
      await answered(scp, { contexts: findContext, user: { extendedNegotiation } }),
      abort(0, 0),
    );
    assert.equal(errors(), 1);

    service.defective = undefined;
    const peer = await associated(scp, { contexts: findContext });
    service.defective = 'request';
    const command = {
      commandField: commandField.findRequest,
      hasDataSet: false,
      messageId: 1,
      priority: 0,
      affectedSopClassUid: find,
    };
    peer.send(dataPdu(pdv(1, 'command', true, encodeCommand(command))));
    assert.deepEqual(await peer.rest(), [abort(0, 0)]);
    assert.equal(errors(), 2);

    service.defective = undefined;
    await stillServes(scp);
  },
);
