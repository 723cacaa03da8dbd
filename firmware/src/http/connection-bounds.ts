/** One address, or one IPv6 network, cannot take all connections of the port: so strangers shut nobody else out. */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from '../ports.ts';
import { connectionsMax, connectionsPerAddressMax } from './limits.ts';
import { addressGroup } from './login-throttle.ts';

export function boundConnections(server: Server, logger: Logger): void {
  server.maxConnections = connectionsMax;
  const held = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    // Without an address it is gone already.
    const address = addressGroup(socket.remoteAddress ?? '');
    const count = held.get(address) ?? 0;
    if (count >= connectionsPerAddressMax) {
      socket.destroy();
      logger.debug({ address, connections: count }, 'connection refused: the address holds too many');
      return;
    }
    held.set(address, count + 1);
    socket.once('close', () => {
      const left = (held.get(address) ?? 1) - 1;
      if (left === 0) held.delete(address);
      else held.set(address, left);
    });
  });
}
