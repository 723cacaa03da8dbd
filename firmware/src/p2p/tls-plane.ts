import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ChainId, Institution } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger, PlaneConnection, Service, Timer, Unsubscribe } from '../ports.ts';
import { makeTransportCertificate, type TransportCertificate } from './certificate.ts';
import {
  planeConnectionsMax,
  planeConnectionsPerMemberMax,
  planeFrameBytesMax,
  planeHandshakeMsMax,
  planeHandshakesMax,
  planeIdleMsMax,
  planeRequestBytesMax,
  planeRequestMsMax,
  rotatedPlaneMsMax,
} from './limits.ts';
import { PendingHandshakes } from './pending-handshakes.ts';
import { PlaneChannel } from './plane-channel.ts';
import { openPlaneConnection, planeStatus } from './plane-client.ts';
import { connectionExporter, planeTlsOptions, provenTransportKey } from './plane-handshake.ts';

export interface TlsPlaneOptions {
  /** This box's institution id. */
  readonly self: string;
  readonly chain: ChainId;
  /** Ed25519 seed of the transport key, 32 bytes; asked again whenever the members change. */
  readonly transportSeed: () => Uint8Array;
  /** Port 0 lets the system choose. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The members as the final ledger has them. */
  readonly members: () => readonly Institution[];
  /** Calls the listener after `members()` has changed. */
  readonly onMembersChange: (listener: () => void) => Unsubscribe;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A connection that was admitted, in or out: with the key on which that rests. */
interface Admitted {
  readonly institution: string;
  readonly transportKey: Uint8Array;
  /** Of the box that holds it: another one has taken the institution's place if it differs. */
  readonly identity: Uint8Array;
  readonly inbound: boolean;
  cut(reason: Error): void;
}

/** What a member asks of this box. */
export interface PlaneRequest {
  /** The member whose transport key the connection has proved. */
  readonly institution: InstitutionId;
  /** 32 bytes that both ends of this connection share and no other connection has: binds a request to it. */
  readonly exporter: Uint8Array;
  readonly body: Uint8Array;
  /** Fires when the connection is gone. */
  readonly signal: AbortSignal;
  /** Ends the connection at once, whatever still waits for sending. */
  readonly cut: () => void;
}

/** Frames of 1 byte to planeFrameBytesMax, pulled no faster than the peer takes them; undefined is the one refusal. */
export type PlaneAnswer = AsyncIterable<Uint8Array> | undefined;

/** Must end soon after the signal has fired, and so must its frames: `stop` waits for both. */
type Handler = (request: PlaneRequest) => Promise<PlaneAnswer>;

/**
 * The image plane on node:tls (2.8 times the throughput of libp2p's streams). Both ends prove their transport keys;
 * whoever is not a member with exactly that key is cut before anything is read or written, and a member that is
 * removed, or whose box was replaced, is cut in the middle.
 */
export class TlsPlane implements Service {
  readonly #options: TlsPlaneOptions;
  readonly #logger: Logger;
  readonly #admitted = new Set<Admitted>();
  /** Raw sockets by the peer's address and port: TLS sockets cannot be reset. */
  readonly #sockets = new Map<string, Socket>();
  readonly #handshakes = new PendingHandshakes<Socket>(planeHandshakesMax);
  readonly #running = new Set<Promise<void>>();
  #server: Server | undefined;
  #certificate: TransportCertificate | undefined;
  /** Of the certificate. */
  #seed: Uint8Array | undefined;
  #renewing: Promise<void> = Promise.resolve();
  readonly #draining = new Map<Admitted, Timer>();
  #handler: Handler | undefined;
  #unsubscribe: Unsubscribe | undefined;
  #stopped = false;

  constructor(options: TlsPlaneOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ module: 'plane' });
  }

  /** @throws AppError PORT_IN_USE, CONFIG_INVALID (the address cannot be listened on). */
  async start(): Promise<void> {
    this.#seed = this.#options.transportSeed();
    this.#certificate = await makeTransportCertificate(this.#seed);
    const server = createServer({
      ...planeTlsOptions(this.#certificate),
      handshakeTimeout: planeHandshakeMsMax,
      noDelay: true,
    });
    server.on('connection', (socket: Socket) => {
      const name = nameOf(socket);
      this.#sockets.set(name, socket);
      socket.once('close', () => {
        this.#sockets.delete(name);
        this.#handshakes.delete(socket);
      });
      const displaced = this.#handshakes.add(socket, socket.remoteAddress ?? '');
      if (displaced === undefined) return;
      this.#logger.debug({ address: displaced.remoteAddress }, 'plane handshake displaced by another');
      displaced.destroy();
    });
    server.on('tlsClientError', (error: Error) => {
      this.#logger.debug({ error }, 'plane handshake failed');
    });
    server.on('secureConnection', (socket) => this.#admit(socket));
    await listening(server, this.#options.listen);
    this.#server = server;
    this.#unsubscribe = this.#options.onMembersChange(() => {
      this.#recheck();
      this.#renewCertificate();
    });
    this.#logger.info({ address: this.address() }, 'plane listening');
  }

  /** Resolves when no connection and no handler is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    const reason = new AppError('PEER_UNREACHABLE', 'the plane is stopping');
    for (const connection of this.#admitted) connection.cut(reason);
    const server = this.#server;
    if (server !== undefined) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of this.#sockets.values()) socket.destroy();
      await closed;
      this.#server = undefined;
    }
    for (const timer of this.#draining.values()) timer.cancel();
    await Promise.all([...this.#running, this.#renewing]);
  }

  /** Host and port where it listens, as an endpoint; after `start` only. */
  address(): string {
    const address = this.#server?.address();
    if (address === undefined || address === null || typeof address === 'string') {
      throw new Error('the plane has not been started');
    }
    return address.family === 'IPv6'
      ? `[${address.address}]:${address.port}`
      : `${address.address}:${address.port}`;
  }

  serve(handler: Handler): Unsubscribe {
    if (this.#handler !== undefined) throw new Error('a plane handler is set already');
    this.#handler = handler;
    return () => {
      if (this.#handler === handler) this.#handler = undefined;
    };
  }

  /**
   * Connects to a member; its removal cuts the connection. An `OpenPlane` of ports.ts.
   * @throws AppError PEER_UNREACHABLE; NOT_A_MEMBER (not with this key, or the other end holds another one).
   */
  async open(member: Institution, signal?: AbortSignal): Promise<PlaneConnection> {
    if (this.#certificate === undefined || this.#stopped) {
      throw new AppError('PEER_UNREACHABLE', 'the plane is not running');
    }
    if (!this.#isMember(member.id, member.keys.transport)) {
      throw new AppError('NOT_A_MEMBER', `${member.id} is no member with this key`);
    }
    const { chain, clock } = this.#options;
    const removal = new AbortController();
    const admitted: Admitted = {
      institution: member.id,
      transportKey: member.keys.transport,
      identity: member.keys.identity,
      inbound: false,
      cut: (reason) => removal.abort(reason),
    };
    this.#admitted.add(admitted);
    try {
      const signals = signal === undefined ? removal.signal : AbortSignal.any([signal, removal.signal]);
      const connection = await openPlaneConnection({
        member,
        certificate: this.#certificate,
        chain,
        clock,
        signal: signals,
      });
      connection.closed.addEventListener('abort', () => this.#forget(admitted), { once: true });
      return connection;
    } catch (error) {
      this.#forget(admitted);
      throw error;
    }
  }

  /** Cuts every connection with that institution at once. */
  dropMember(institution: string): void {
    const reason = new AppError('NOT_A_MEMBER', `${institution} was removed`);
    for (const connection of this.#admitted)
      if (connection.institution === institution) connection.cut(reason);
  }

  #members(): readonly Institution[] {
    return this.#options.members().filter((member) => member.id !== this.#options.self);
  }

  #isMember(id: string, transportKey: Uint8Array): boolean {
    return this.#members().some(
      (member) => member.id === id && equalBytes(member.keys.transport, transportKey),
    );
  }

  #forget(admitted: Admitted): void {
    this.#admitted.delete(admitted);
    this.#draining.get(admitted)?.cancel();
    this.#draining.delete(admitted);
  }

  /** Cuts who is no member any more, at once; who has only rotated its key may end what it has begun. */
  #recheck(): void {
    for (const connection of this.#admitted) {
      const { institution, transportKey, identity } = connection;
      if (this.#isMember(institution, transportKey) || this.#draining.has(connection)) continue;
      const reason = new AppError('NOT_A_MEMBER', `${institution} is no longer a member with this key`);
      const isSameBox = this.#members().some(
        (member) => member.id === institution && equalBytes(member.keys.identity, identity),
      );
      if (!isSameBox) {
        connection.cut(reason);
        continue;
      }
      const timer = this.#options.clock.setTimer(rotatedPlaneMsMax, () => connection.cut(reason));
      this.#draining.set(connection, timer);
    }
  }

  /** From the next handshake on this box shows the key that the ledger names; connections that stand are not touched. */
  #renewCertificate(): void {
    const seed = this.#options.transportSeed();
    if (this.#seed !== undefined && equalBytes(seed, this.#seed)) return;
    this.#seed = seed;
    this.#renewing = this.#renewing.then(async () => {
      const certificate = await makeTransportCertificate(seed);
      this.#certificate = certificate;
      this.#server?.setSecureContext({ ...planeTlsOptions(certificate) });
      this.#logger.info({}, 'the plane shows another key');
    });
  }

  /** In one turn with the end of the handshake: nothing is read or written before the key is known to be a member's. */
  #admit(socket: TLSSocket): void {
    const key = provenTransportKey(socket);
    const member = key && this.#members().find((candidate) => equalBytes(candidate.keys.transport, key));
    const raw = this.#sockets.get(nameOf(socket));
    if (raw !== undefined) this.#handshakes.delete(raw);
    const reason = this.#whyNot(member);
    if (key === undefined || member === undefined || reason !== undefined) {
      const { remoteAddress: address } = socket;
      socket.on('error', (error: Error) =>
        this.#logger.debug({ address, error }, 'refused connection broke'),
      );
      socket.destroy();
      this.#logger.warn({ address, peer: member?.id, reason }, 'plane connection refused');
      return;
    }
    const channel = new PlaneChannel(socket, member.id, this.#options.clock, () => raw?.resetAndDestroy());
    const admitted: Admitted = {
      institution: member.id,
      transportKey: key,
      identity: member.keys.identity,
      inbound: true,
      cut: (reason) => channel.cut(reason),
    };
    this.#admitted.add(admitted);
    const exporter = connectionExporter(socket, this.#options.chain);
    const running = this.#serveOne(channel, member.id, exporter).finally(() => {
      this.#forget(admitted);
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  #whyNot(member: Institution | undefined): string | undefined {
    if (this.#stopped) return 'stopping';
    if (member === undefined) return 'not-a-member';
    const inbound = [...this.#admitted].filter((connection) => connection.inbound);
    if (inbound.length >= planeConnectionsMax) return 'too-many';
    const held = inbound.filter(({ institution }) => institution === member.id).length;
    return held >= planeConnectionsPerMemberMax ? 'too-many-of-this-member' : undefined;
  }

  async #serveOne(channel: PlaneChannel, institution: string, exporter: Uint8Array): Promise<void> {
    try {
      const body = await channel.read(planeRequestBytesMax, planeRequestMsMax);
      if (body === undefined)
        throw new AppError('PEER_UNREACHABLE', `${institution} left before its request`);
      channel.mute();
      const answer = await this.#handler?.({
        institution,
        exporter,
        body,
        signal: channel.closed,
        cut: () => channel.cut(new AppError('NOT_RELEASED', `the stream to ${institution} was cut`)),
      });
      if (answer === undefined) {
        await channel.write(Uint8Array.of(planeStatus.refused), planeIdleMsMax);
      } else {
        await channel.write(Uint8Array.of(planeStatus.streams), planeIdleMsMax);
        for await (const frame of answer) {
          if (frame.length === 0 || frame.length > planeFrameBytesMax) {
            throw new RangeError(
              `plane frame of ${frame.length} bytes; allowed are 1 to ${planeFrameBytesMax}`,
            );
          }
          await channel.write(frame, planeIdleMsMax);
        }
        await channel.write(complete, planeIdleMsMax);
      }
      await channel.end(planeIdleMsMax);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      channel.cut(reason);
      const fields = { peer: institution, error: reason };
      if (!(error instanceof AppError)) this.#logger.error(fields, 'plane request failed');
      else if (error.code === 'PEER_UNREACHABLE') this.#logger.debug(fields, 'plane connection lost');
      else this.#logger.warn(fields, 'plane connection cut');
    }
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
}

/** An empty frame after the last one: without it the stream was truncated. */
const complete = new Uint8Array(0);

async function listening(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(at.port, at.host, resolve);
  try {
    await promise;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'EADDRINUSE') {
      throw new AppError('PORT_IN_USE', `the plane address ${at.host}:${at.port} is in use`, { cause });
    }
    throw new AppError('CONFIG_INVALID', `plane: cannot listen on ${at.host}:${at.port} (${code})`, {
      cause,
    });
  } finally {
    server.off('error', reject);
  }
}
