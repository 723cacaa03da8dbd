/**
 * Ports for programs that must be told theirs. They lie below those that the system gives to connections (RFC 6335:
 * 49152 on; Linux: 32768 on), which would take one between its choice and its use; and each process begins at a place
 * of its own, so that test files that run side by side do not choose the same.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Above those of the demonstration and of dcmtk's and Orthanc's defaults. */
const firstPort = 20_000;
const ports = 12_000;
/** Processes that begin one after the other are so far apart. */
const portsEach = 64;

let next = (process.pid * portsEach) % ports;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const heard = Promise.withResolvers<boolean>();
  server
    .once('listening', () => {
      heard.resolve(true);
    })
    .once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') heard.resolve(false);
      else heard.reject(error);
    })
    .listen(port, '0.0.0.0');
  if (!(await heard.promise)) return false;
  server.close();
  await once(server, 'close');
  return true;
}

/** Ports on which nobody listens, all different, and never given again by this process before 12,000 others were. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tried = 0; found.length < count; tried++) {
    if (tried === ports) throw new Error(`no port is free from ${firstPort} on`);
    const port = firstPort + next;
    next = (next + 1) % ports;
    if (await isFree(port)) found.push(port);
  }
  return found;
}
