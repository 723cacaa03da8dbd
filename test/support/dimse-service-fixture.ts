/** What the tests of DIMSE services share: a service with one function, a workstation that asks for it. */
import assert from 'node:assert/strict';
import { type Command, decodeCommand } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import {
  type Association,
  type AssociationOptions,
  type DicomServer,
  type DimseService,
  openAssociation,
  type ServiceOperation,
  type ServiceResponse,
  uids,
} from '../../firmware/dimse/index.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { ctImageStorage, type RawPeer } from './dimse-peer.ts';
import { running } from './dimse-scp-fixture.ts';

export const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';
export const studyRootGet = '1.2.840.10008.5.1.4.1.2.2.3';
export const commitment = '1.2.840.10008.1.20.1';
export const level: DataSet = { '00080052': { vr: 'CS', values: ['STUDY'] } };
export type Perform = (operation: ServiceOperation) => Promise<ServiceResponse>;

export function service(perform: Perform, change: Partial<DimseService> = {}): DimseService {
  return { sopClasses: [studyRootFind], requestorRole: 'scu', permission: 'query', perform, ...change };
}

export const getting = (perform: Perform): DimseService =>
  service(perform, { sopClasses: [studyRootGet], permission: 'retrieve' });

export async function opened(
  scp: Pick<DicomServer, 'port'>,
  change: Partial<AssociationOptions> = {},
): Promise<Association> {
  const association = await openAssociation({
    host: '127.0.0.1',
    port: scp.port,
    callingAeTitle: 'WORKSTATION',
    calledAeTitle: 'HILUM',
    contexts: [
      { abstractSyntax: studyRootFind, transferSyntaxes: [uids.explicitVrLittleEndian] },
      { abstractSyntax: studyRootGet, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { abstractSyntax: commitment, transferSyntaxes: [uids.implicitVrLittleEndian] },
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.explicitVrLittleEndian],
        roles: { scu: true, scp: true },
      },
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
    clock: realClock,
    ...change,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** `level` as it is sent. */
export const identifier = encodeDataSet(level, uids.implicitVrLittleEndian);

/** The next command set that the peer receives. */
export async function nextCommand(peer: RawPeer): Promise<Command> {
  const event = await peer.next();
  assert(event?.kind === 'data' && event.fragment.command, JSON.stringify(event));
  const decoded = decodeCommand(event.fragment.bytes);
  assert(decoded.kind === 'command');
  return decoded.command;
}
