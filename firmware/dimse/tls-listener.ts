/**
 * The TLS port: handshakes with mutual authentication, bounded in time and number, and certificates that can be
 * exchanged while it listens. A handshake costs the event loop as much as an image, and anybody may begin one: those of
 * an address are made one after the other, in its row (address-accounts.ts).
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import type { Logger } from '../src/ports.ts';
import { type AddressAccounts, addressOf, ofBusiestAddress, Place } from './address-accounts.ts';
import { handshakeCost } from './limits.ts';
import { closed, listen, portOf } from './listening.ts';
import type { PeerCertificate } from './service.ts';
import { contextOptions, peerCertificate, type TlsCredentials } from './tls-profile.ts';

export interface TlsListenerOptions {
  readonly host: string;
  /** 0 takes a free one; `port` tells which. */
  readonly port: number;
  readonly handshakeMsMax: number;
  readonly handshakesMax: number;
  readonly addresses: AddressAccounts;
  readonly logger: Logger;
  /** A connection whose peer has shown a certificate of the authorities. */
  connected(socket: Socket, certificate: PeerCertificate): void;
}

export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #server: Server;
  /** Makes the handshakes; it listens nowhere. */
  readonly #tls: TlsServer;
  /** Connections before and in their handshake by the peer's address and port, oldest first. */
  readonly #handshakes = new Map<string, Socket>();

  /** @throws Error if OpenSSL does not take the credentials. */
  constructor(options: TlsListenerOptions, credentials: TlsCredentials) {
    this.#options = options;
    this.#server = createServer((socket) => {
      this.#began(socket);
    });
    this.#tls = createTlsServer({
      ...contextOptions(credentials),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: options.handshakeMsMax,
    });
    this.#tls.on('secureConnection', (socket) => {
      this.#secured(socket);
    });
    this.#tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
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
    this.#tls.setSecureContext(contextOptions(credentials));
  }

  #began(socket: Socket): void {
    if (this.#handshakes.size >= this.#options.handshakesMax) {
      const [waiting] = ofBusiestAddress([...this.#handshakes.values()]);
      if (waiting !== undefined) {
        this.#handshakes.delete(keyOf(waiting));
        waiting.destroy();
      }
    }
    const key = keyOf(socket);
    this.#handshakes.set(key, socket);
    const { remoteAddress } = socket;
    const place = new Place();
    socket.once('close', () => {
      place.giveUp();
      if (this.#handshakes.get(key) !== socket) return;
      this.#handshakes.delete(key);
      // The reason stands in a line of its own: where Node tells it, the address is gone.
      this.#options.logger.warn({ remoteAddress }, 'a connection ended within its TLS handshake');
    });
    // Whoever resets it closes it.
    socket.on('error', () => undefined);
    socket.setTimeout(this.#options.handshakeMsMax, () => socket.destroy());
    // What has come stays where the handshake finds it. Who says nothing is in nobody's way.
    socket.once('readable', () => {
      const turn = this.#options.addresses.of(addressOf(socket)).inRow(handshakeCost, place);
      if (turn === undefined) this.#handshake(socket);
      else void turn.then(() => this.#handshake(socket));
    });
  }

  #handshake(socket: Socket): void {
    if (socket.destroyed) return;
    socket.setTimeout(0);
    this.#tls.emit('connection', socket);
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
