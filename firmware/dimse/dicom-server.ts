/**
 * The box as an SCP: a plain port, and one with TLS beside it, whose associations hand every object on as a stream
 * (PS3.4 annex B), and every other request to its service.
 */
import { permissions } from '../src/access/permissions.ts';
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Logger, Service, StoreSink } from '../src/ports.ts';
import { AddressAccounts, ofBusiestAddress } from './address-accounts.ts';
import { AcceptedAssociation, type AcceptorContext, type Admitted } from './accepted-association.ts';
import { HeldIdentifiers } from './held-identifiers.ts';
import {
  artimMs,
  associationsMax,
  associationsPerAddressMax,
  connectionsPendingMax,
  idleMsMax,
  stallMsMax,
  tlsHandshakeMsMax,
  tlsHandshakesMax,
} from './limits.ts';
import { closed, listen, portOf } from './listening.ts';
import { pduBytesUsable } from './message-writer.ts';
import { type AssociateReject, type AssociateRequest, reject, type UserIdentity } from './pdu.ts';
import type { DimseService, Peer, PeerCertificate } from './service.ts';
import { readingIntoOneBuffer } from './receive-buffer.ts';
import type { StoreRequest } from './store-operation.ts';
import { TlsListener } from './tls-listener.ts';
import type { TlsCredentials } from './tls-profile.ts';
import { Turns } from './turns.ts';
import { applicationContextName } from './uids.ts';

/** Who asks for an association, and for what. */
export interface AdmissionRequest extends Peer {
  /** Abstract syntaxes that it proposes. */
  readonly sopClassUids: readonly string[];
  /** As the peer claims it (PS3.7 D.3.3.7); not verified here. */
  readonly userIdentity?: UserIdentity;
}

/** What the caller may do, or the A-ASSOCIATE-RJ (PS3.8 table 9-21). C-ECHO needs no permission. */
export type Admission = Admitted | AssociateReject;

export interface DicomServerLimits {
  readonly associationsMax: number;
  readonly associationsPerAddressMax: number;
  readonly connectionsPendingMax: number;
  readonly artimMs: number;
  readonly idleMsMax: number;
  readonly stallMsMax: number;
  readonly tlsHandshakeMsMax: number;
  readonly tlsHandshakesMax: number;
}

export interface DicomServerOptions {
  readonly host: string;
  /** 0 takes a free one; `port` tells which. */
  readonly port: number;
  /** The port with TLS, on the same host; it listens as soon as there are credentials (`useTls`). */
  readonly tlsPort?: number;
  /** Called AE titles that are ours; others are rejected (source 1, reason 7). 'any' leaves it to `admit`. */
  readonly aeTitles: readonly string[] | 'any';
  /** Calling AE titles that may associate; others are rejected (source 1, reason 3). */
  readonly callingAeTitles: readonly string[] | 'any';
  /** A further policy, asked after the two lists; without one everything is permitted. */
  readonly admit?: (request: AdmissionRequest) => Admission | Promise<Admission>;
  /** Opens the sink of one object. A failure is answered with its DIMSE status once the data set was discarded. */
  readonly store: (request: StoreRequest) => StoreSink | Promise<StoreSink>;
  /** What is served besides Verification and Storage. */
  readonly services?: readonly DimseService[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<DicomServerLimits>;
}

const defaultLimits: DicomServerLimits = {
  associationsMax,
  associationsPerAddressMax,
  connectionsPendingMax,
  artimMs,
  idleMsMax,
  stallMsMax,
  tlsHandshakeMsMax,
  tlsHandshakesMax,
};

export class DicomServer implements Service, AcceptorContext {
  readonly #options: DicomServerOptions;
  readonly #limits: DicomServerLimits;
  readonly #server: Server;
  /** Connections without an association, not yet or no longer; oldest first. */
  readonly #pending = new Set<AcceptedAssociation>();
  readonly #associations = new Set<AcceptedAssociation>();
  readonly identifiers = new HeldIdentifiers();
  readonly turns: Turns;
  readonly addresses: AddressAccounts;
  readonly callers: AddressAccounts;
  #tls: TlsListener | undefined;

  constructor(options: DicomServerOptions) {
    this.#options = options;
    this.turns = new Turns(options.clock);
    // Who asks for an association waits for others who ask, and not for all that associations cost.
    this.addresses = new AddressAccounts(new Turns(options.clock));
    this.callers = new AddressAccounts(new Turns(options.clock));
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#connected(readingIntoOneBuffer(socket));
    });
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get logger(): Logger {
    return this.#options.logger;
  }

  get services(): readonly DimseService[] {
    return this.#options.services ?? [];
  }

  get timers(): AcceptorContext['timers'] {
    return this.#limits;
  }

  /** The port that it listens on, once started. */
  get port(): number {
    return portOf(this.#server);
  }

  /** The TLS port, once it is open. */
  get tlsPort(): number | undefined {
    return this.#tls?.port;
  }

  get associations(): number {
    return this.#associations.size;
  }

  /** @throws AppError PORT_IN_USE; CONFIG_INVALID if the address is not one of this machine's. */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    await listen(this.#server, host, port);
    // Accepting failed (no file descriptors left): the connections that stand go on.
    this.#server.on('error', (error) => {
      this.logger.error({ err: error }, 'a DICOM connection could not be accepted');
    });
  }

  /**
   * Opens the TLS port with these credentials; if it is open already, uses them for new connections.
   * @throws AppError as `start` does; Error if OpenSSL does not take them, and the former ones stay in use.
   */
  async useTls(credentials: TlsCredentials): Promise<void> {
    if (this.#tls !== undefined) {
      this.#tls.use(credentials);
      return;
    }
    const { host, tlsPort } = this.#options;
    assert(tlsPort !== undefined, 'a TLS port was asked for');
    const listener = new TlsListener(
      {
        host,
        port: tlsPort,
        handshakeMsMax: this.#limits.tlsHandshakeMsMax,
        handshakesMax: this.#limits.tlsHandshakesMax,
        addresses: this.addresses,
        logger: this.logger,
        connected: (socket, certificate) => {
          this.#connected(socket, certificate);
        },
      },
      credentials,
    );
    await listener.start();
    this.#tls = listener;
  }

  /** Aborts every association and resolves when none, and none of their sinks, is at work any more. */
  async stop(): Promise<void> {
    const stopped = Promise.all([closed(this.#server), this.#tls?.stop()]);
    await Promise.all([...this.#pending, ...this.#associations].map((association) => association.shutdown()));
    await stopped;
  }

  async admit(request: AssociateRequest, peer: Peer): Promise<Admission> {
    const { aeTitles, callingAeTitles, admit } = this.#options;
    const { calledAeTitle, callingAeTitle, userInformation } = request;
    if (request.applicationContextName !== applicationContextName) return reject.applicationContext;
    if (aeTitles !== 'any' && !aeTitles.includes(calledAeTitle)) return reject.calledAeTitle;
    if (callingAeTitles !== 'any' && !callingAeTitles.includes(callingAeTitle)) return reject.callingAeTitle;
    // A maximum that leaves no room for data: no answer could be sent.
    const peerMax = userInformation.pduBytesMax;
    if (peerMax !== 0 && peerMax < pduBytesUsable) return reject.noReason;
    if (admit === undefined) return { may: new Set(permissions) };
    const { userIdentity } = userInformation;
    try {
      return await admit({
        ...peer,
        sopClassUids: request.contexts.map(({ abstractSyntax }) => abstractSyntax),
        ...(userIdentity !== undefined && { userIdentity }),
      });
    } catch (error) {
      this.logger.error({ err: error }, 'the admission of an association failed');
      return reject.temporaryCongestion;
    }
  }

  enter(association: AcceptedAssociation): boolean {
    if (this.#associations.size >= this.#limits.associationsMax) return false;
    const { remoteAddress } = association;
    const ofAddress = [...this.#associations].filter((each) => each.remoteAddress === remoteAddress);
    if (ofAddress.length >= this.#limits.associationsPerAddressMax) return false;
    this.#pending.delete(association);
    this.#associations.add(association);
    return true;
  }

  leave(association: AcceptedAssociation): void {
    if (this.#associations.delete(association)) this.#pending.add(association);
  }

  store(request: StoreRequest): StoreSink | Promise<StoreSink> {
    return this.#options.store(request);
  }

  #connected(socket: Socket, certificate?: PeerCertificate): void {
    if (this.#pending.size >= this.#limits.connectionsPendingMax) this.#makeRoom();
    const association = new AcceptedAssociation(socket, this, certificate);
    this.#pending.add(association);
    const over = (): void => {
      this.#pending.delete(association);
      this.#associations.delete(association);
    };
    association.done().then(over, (error: unknown) => {
      over();
      this.logger.error({ err: error }, 'an association did not end as it should');
    });
  }

  /** One address must not keep the others out, nor those who have not asked yet those who wait for their turn. */
  #makeRoom(): void {
    const most = ofBusiestAddress(this.#pending);
    const dropped = most.find(({ hasAsked }) => !hasAsked) ?? most[0];
    if (dropped === undefined) return;
    dropped.drop();
    this.#pending.delete(dropped);
  }
}
