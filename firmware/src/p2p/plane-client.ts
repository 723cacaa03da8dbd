import { connect, type TLSSocket } from 'node:tls';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ChainId, Institution } from '../ledger/types.ts';
import type { Clock, PlaneConnection } from '../ports.ts';
import type { TransportCertificate } from './certificate.ts';
import { startDeadline } from './deadline.ts';
import {
  planeAnswerMsMax,
  planeFrameBytesMax,
  planeHandshakeMsMax,
  planeIdleMsMax,
  planeRequestBytesMax,
  planeRequestMsMax,
} from './limits.ts';
import { PlaneChannel } from './plane-channel.ts';
import { connectionExporter, planeTlsOptions, provenTransportKey } from './plane-handshake.ts';

/** First frame back: one byte. */
export const planeStatus = { streams: 0, refused: 1 } as const;

export interface OpenPlaneOptions {
  readonly member: Institution;
  readonly certificate: TransportCertificate;
  readonly chain: ChainId;
  readonly clock: Clock;
  /** Cuts the connection, also after it is open. */
  readonly signal?: AbortSignal | undefined;
}

export interface OpenedPlane extends PlaneConnection {
  /** Aborted when the connection is gone. */
  readonly closed: AbortSignal;
}

/**
 * Connects to a member's plane and compares its key with the ledger's before anything is written.
 * @throws AppError PEER_UNREACHABLE; NOT_A_MEMBER if the other end holds another key; the signal's reason.
 */
export async function openPlaneConnection(options: OpenPlaneOptions): Promise<OpenedPlane> {
  const { member, chain, clock, signal } = options;
  signal?.throwIfAborted();
  const socket = connect({ ...hostAndPort(member), ...planeTlsOptions(options.certificate) });
  await handshake(socket, member.id, clock, signal);
  const key = provenTransportKey(socket);
  if (key === undefined || !equalBytes(key, member.keys.transport)) {
    socket.destroy();
    throw new AppError(
      'NOT_A_MEMBER',
      `what answers at ${member.endpoints.plane} does not hold the key of ${member.id}`,
    );
  }
  const channel = new PlaneChannel(socket, member.id, clock);
  const cut = (): void => {
    channel.cut(signal?.reason as Error);
  };
  signal?.addEventListener('abort', cut, { once: true });
  channel.closed.addEventListener('abort', () => signal?.removeEventListener('abort', cut), { once: true });
  let asked = false;
  return {
    exporter: connectionExporter(socket, chain),
    closed: channel.closed,
    request: (body) => {
      if (asked) throw new Error('a plane connection takes one request');
      if (body.length > planeRequestBytesMax) throw new RangeError(`request of ${body.length} bytes`);
      asked = true;
      return frames(channel, member.id, body);
    },
    close: () => {
      channel.cut(new AppError('PEER_UNREACHABLE', `the connection with ${member.id} was closed here`));
    },
  };
}

async function* frames(channel: PlaneChannel, peer: string, body: Uint8Array): AsyncGenerator<Uint8Array> {
  try {
    await channel.write(body, planeRequestMsMax);
    const status = await channel.read(1, planeAnswerMsMax);
    if (status === undefined)
      throw new AppError('PEER_UNREACHABLE', `${peer} closed the connection without an answer`);
    if (status[0] === planeStatus.refused) {
      throw new AppError('NOT_RELEASED', `${peer} releases nothing under this request`);
    }
    if (status[0] !== planeStatus.streams)
      throw new AppError('PEER_MISBEHAVED', `${peer} answered with an unknown status`);
    for (;;) {
      const frame = await channel.read(planeFrameBytesMax, planeIdleMsMax);
      if (frame === undefined)
        throw new AppError('PEER_UNREACHABLE', `the stream of ${peer} ended before it was complete`);
      if (frame.length === 0) return;
      yield frame;
    }
  } finally {
    channel.cut(new AppError('PEER_UNREACHABLE', `the stream of ${peer} is over`));
  }
}

async function handshake(
  socket: TLSSocket,
  peer: string,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const late = (): AppError => new AppError('PEER_UNREACHABLE', `${peer} does not answer on its plane`);
  const deadline = startDeadline(clock, planeHandshakeMsMax, late, signal);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (cause?: Error): void => {
    reject(new AppError('PEER_UNREACHABLE', `no connection to the plane of ${peer}`, { cause }));
  };
  const giveUp = (): void => {
    reject(deadline.signal.reason as Error);
    socket.destroy();
  };
  socket.once('secureConnect', resolve);
  socket.on('error', fail);
  socket.once('close', fail);
  if (deadline.signal.aborted) giveUp();
  else deadline.signal.addEventListener('abort', giveUp, { once: true });
  try {
    await promise;
  } finally {
    deadline.cancel();
    socket.off('close', fail);
  }
}

/** `host:port`, an IPv6 address in brackets. */
function hostAndPort(member: Institution): { host: string; port: number } {
  const { v6, host, port } =
    /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>[0-9]{1,5})$/.exec(member.endpoints.plane)?.groups ?? {};
  const name = v6 ?? host;
  if (name === undefined || Number(port) > 65_535) {
    throw new AppError('PEER_UNREACHABLE', `"${member.endpoints.plane}" of ${member.id} is no host and port`);
  }
  return { host: name, port: Number(port) };
}
