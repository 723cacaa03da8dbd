/** An SCP that does with each PDU what a test's script says: for answers that no SCP in its right mind gives. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { uids } from '../../firmware/dimse/index.ts';
import { type PduEvent, PduReader } from '../../firmware/dimse/pdu-reader.ts';
import {
  type AssociateAccept,
  encodeAddressing,
  encodeAssociateAccept,
  type UserInformation,
} from '../../firmware/dimse/pdu.ts';
import { running } from './dimse-scp-fixture.ts';

/** Stopped after the test. @returns its port. */
export async function scriptedScp(script: (event: PduEvent, socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const reader = new PduReader(0xffffffff);
    // Whoever has had enough of the script ends with a reset; 'close' follows.
    socket.on('error', (error) => assert.match(error.message, /ECONNRESET|EPIPE/));
    socket.on('data', (chunk: Uint8Array) => {
      reader.push(chunk);
      for (let event = reader.next(); event !== undefined; event = reader.next()) script(event, socket);
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
  return address.port;
}

/** Its A-ASSOCIATE-AC. */
export function acceptPdu(
  contexts: AssociateAccept['contexts'],
  pduBytesMax = 16_384,
  roles: UserInformation['roles'] = [],
): Uint8Array {
  return encodeAssociateAccept(
    {
      contexts,
      userInformation: { pduBytesMax, implementationClassUid: '1.2.3', roles, extendedNegotiation: [] },
    },
    encodeAddressing('HILUM', 'SENDER'),
    uids.applicationContextName,
  );
}
