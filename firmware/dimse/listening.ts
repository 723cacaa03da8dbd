/** A server's port: listening on it, and giving it up. */
import assert from 'node:assert/strict';
import type { Server } from 'node:net';
import { AppError } from '../src/errors.ts';

/**
 * Resolves when connections are taken. Port 0 takes a free one.
 * @throws AppError PORT_IN_USE; CONFIG_INVALID if the address is not one of this machine's.
 */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: NodeJS.ErrnoException): void => {
    const inUse = error.code === 'EADDRINUSE';
    const what = inUse ? 'is in use' : `cannot be listened on (${error.code ?? error.message})`;
    const code = inUse ? 'PORT_IN_USE' : 'CONFIG_INVALID';
    reject(new AppError(code, `DICOM port ${host}:${port} ${what}`, { cause: error }));
  };
  server.once('error', failed);
  server.listen({ host, port }, resolve);
  await promise;
  server.off('error', failed);
}

/** No new connections. Resolves when the last one has gone. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

/** The port that it listens on. */
export function portOf(server: Server): number {
  const address = server.address();
  assert(address !== null && typeof address === 'object', 'the DICOM server does not listen');
  return address.port;
}
