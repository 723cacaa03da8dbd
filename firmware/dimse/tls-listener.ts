/**
 * The TLS port: handshakes with mutual authentication, bounded in time and number, and certificates that can be
 * exchanged while it listens.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from '../src/ports.ts';
import { closed, listen, portOf } from './listening.ts';
import type { PeerCertificate } from './service.ts';
import { contextOptions, peerCertificate, type TlsCredentials } from './tls-profile.ts';

export interface TlsListenerOptions {
  readonly host: string;
  /** 0 takes a free one; `port` tells which. */
  readonly port: number;
  readonly handshakeMsMax: number;
  readonly handshakesMax: number;
  readonly logger: Logger;
  /** A connection whose peer has shown a certificate of the authorities. */
  connected(socket: Socket, certificate: PeerCertificate): void;
}

export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #server: Server;
  /** Connections in their handshake by the peer's address and port, oldest first. */
  readonly #handshakes = new Map<string, Socket>();

  /** @throws Error if OpenSSL does not take the credentials. */
  constructor(options: TlsListenerOptions, credentials: TlsCredentials) {
    this.#options = options;
    this.#server = createServer({
      ...contextOptions(credentials),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: options.handshakeMsMax,
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#began(socket);
    });
    this.#server.on('secureConnection', (socket) => {
      this.#secured(socket);
    });
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      // What was wrong with a certificate is told by the socket only.
      const reason = String(socket.authorizationError ?? error.code ?? error.message);
      options.logger.warn({ reason }, 'a TLS handshake failed');
      // Node closes it, but not after a time-out.
      socket.destroy();
    });
  }

  get port(): number {
    return portOf(this.#server);
  }

  /** @throws AppError PORT_IN_USE; CONFIG_INVALID if the address is not one of this machine's. */
  async start(): Promise<void> {
    const { host, port, logger } = this.#options;
    await listen(this.#server, host, port);
    // Accepting failed (no file descriptors left): the connections that stand go on.
    this.#server.on('error', (error) => {
      logger.error({ err: error }, 'a DICOM connection over TLS could not be accepted');
    });
  }

  /** Resolves when every connection has gone; those in their handshake are closed, the others are their owner's. */
  async stop(): Promise<void> {
    const over = closed(this.#server);
    for (const socket of this.#handshakes.values()) socket.destroy();
    await over;
  }

  /** For connections from now on; those that stand go on. @throws Error if OpenSSL does not take them. */
  use(credentials: TlsCredentials): void {
    this.#server.setSecureContext(contextOptions(credentials));
  }

  #began(socket: Socket): void {
    const [oldest] = this.#handshakes;
    if (oldest !== undefined && this.#handshakes.size >= this.#options.handshakesMax) {
      const [key, waiting] = oldest;
      this.#handshakes.delete(key);
      waiting.destroy();
    }
    const key = keyOf(socket);
    this.#handshakes.set(key, socket);
    const { remoteAddress } = socket;
    socket.once('close', () => {
      if (this.#handshakes.get(key) !== socket) return;
      this.#handshakes.delete(key);
      // The reason stands in a line of its own: where Node tells it, the address is gone.
      this.#options.logger.warn({ remoteAddress }, 'a connection ended within its TLS handshake');
    });
  }

  #secured(socket: TLSSocket): void {
    this.#handshakes.delete(keyOf(socket));
    const certificate = peerCertificate(socket);
    // It may be gone already.
    if (certificate === undefined) socket.destroy();
    else this.#options.connected(socket, certificate);
  }
}

const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress ?? ''} ${remotePort ?? ''}`;
