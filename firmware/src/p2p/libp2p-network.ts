import { identify } from '@libp2p/identify';
import type { Connection, ConnectionGater, Libp2p, PeerId, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ChainId, Institution } from '../ledger/types.ts';
import type {
  Clock,
  Logger,
  Network,
  PeerStatus,
  RequestOptions,
  Service,
  Timer,
  Unsubscribe,
} from '../ports.ts';
import {
  connectionsMax,
  connectionsPendingMax,
  connectionsPerHostPerSecondMax,
  connectionsPerMemberMax,
  dialMsMax,
  messageBytesMax,
  requestsInboundPerMemberMax,
  rotatedLinkMsMax,
  streamsPerConnectionMax,
  streamWindowBytesMax,
} from './limits.ts';
import { MemberDirectory, transportIdentity, type Member } from './member-directory.ts';
import { MessageReceiver, type MessageHandler } from './message-receiver.ts';
import { messageProtocol, PeerLink } from './peer-link.ts';
import { requestProtocol, Requests, type RequestHandler } from './requests.ts';

export interface Libp2pNetworkOptions {
  /** This box's institution id. */
  readonly self: string;
  /** Boxes of another ledger are refused. */
  readonly chain: ChainId;
  /** Ed25519 seed of the transport key, 32 bytes: without it libp2p would silently make up an identity. */
  readonly transportSeed: Uint8Array;
  /** Multiaddr, e.g. /ip4/127.0.0.1/tcp/4001; port 0 lets the system choose. */
  readonly listen: string;
  /** The members as the final ledger has them (this box may be among them). */
  readonly members: () => readonly Institution[];
  /** Calls the listener after `members()` has changed. */
  readonly onMembersChange: (listener: () => void) => Unsubscribe;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The Network port over libp2p: TCP, TLS 1.3, yamux; members only, in and out; a full mesh of long-lived one-way
 * message streams, and one stream per request. No discovery, no relays, no stored addresses: the ledger is the
 * address book.
 */
export class Libp2pNetwork implements Network, Service {
  readonly self: string;
  readonly #options: Libp2pNetworkOptions;
  readonly #logger: Logger;
  readonly #receiver: MessageReceiver;
  readonly #requests: Requests;
  readonly #links = new Map<string, PeerLink>();
  readonly #listeners = new Set<() => void>();
  /** Boxes that rotated their keys and are still linked by the old ones. */
  readonly #leaves = new Map<string, { readonly member: Member; readonly timer: Timer }>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #directory: MemberDirectory;
  #node: Libp2p | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: Libp2pNetworkOptions) {
    this.self = options.self;
    this.#options = options;
    this.#logger = options.logger.child({ module: 'p2p' });
    const shared = { self: options.self, chain: options.chain, clock: options.clock, logger: this.#logger };
    this.#receiver = new MessageReceiver(shared);
    this.#requests = new Requests(shared);
    this.#directory = new MemberDirectory(options.members(), options.self);
  }

  /** @throws AppError PORT_IN_USE, CONFIG_INVALID (the address cannot be listened on). */
  async start(): Promise<void> {
    const { listen, transportSeed } = this.#options;
    const node = await createLibp2p({
      start: false,
      privateKey: await transportIdentity(transportSeed),
      nodeInfo: { name: 'hilum', version: '1', userAgent: 'hilum/1' },
      addresses: { listen: [listen] },
      transports: [tcp()],
      connectionEncrypters: [tls()],
      streamMuxers: [
        yamux({
          maxInboundStreams: streamsPerConnectionMax,
          maxOutboundStreams: streamsPerConnectionMax,
          streamOptions: { maxStreamWindowSize: streamWindowBytesMax },
        }),
      ],
      services: { identify: identify() },
      connectionGater: this.#gater(),
      connectionManager: {
        maxConnections: connectionsMax,
        inboundConnectionThreshold: connectionsPerHostPerSecondMax,
        maxIncomingPendingConnections: connectionsPendingMax,
        dialTimeout: dialMsMax,
        addressDialTimeout: dialMsMax,
        inboundUpgradeTimeout: dialMsMax,
        reconnectRetries: 0,
        resolvers: {},
      },
      // It cuts connections that are merely busy; the message streams have beats of their own.
      connectionMonitor: { enabled: false },
    });
    await node.handle(messageProtocol, (stream, connection) => this.#serve(stream, connection, 'messages'), {
      maxInboundStreams: connectionsPerMemberMax,
    });
    await node.handle(requestProtocol, (stream, connection) => this.#serve(stream, connection, 'request'), {
      maxInboundStreams: requestsInboundPerMemberMax,
    });
    node.addEventListener('connection:open', (event) => {
      const member = this.#directory.byPeerId(event.detail.remotePeer);
      if (member === undefined) return;
      this.#endLeave(member.institution.id);
      this.#links.get(member.institution.id)?.wake();
    });
    this.#node = node;
    try {
      await node.start();
    } catch (cause) {
      this.#node = undefined;
      throw listenFault(listen, cause);
    }
    this.#logger.info({ address: this.multiaddr() }, 'p2p listening');
    this.#unsubscribe = this.#options.onMembersChange(() => this.#takeMembers());
    this.#takeMembers();
  }

  /** Resolves when no connection, stream, timer or handler of it is left. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stopping.abort(new AppError('PEER_UNREACHABLE', 'the network is stopping'));
    for (const { timer } of this.#leaves.values()) timer.cancel();
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
    this.#links.clear();
    const node = this.#node;
    if (node !== undefined) {
      for (const connection of node.getConnections()) connection.abort(new Error('stopping'));
      await node.stop();
      this.#node = undefined;
    }
    await Promise.all(this.#running);
  }

  /** Where it listens, without the peer id; after `start` only. */
  multiaddr(): string {
    const address = this.#node?.getMultiaddrs()[0];
    if (address === undefined) throw new Error('the network has not been started');
    const [withoutPeerId = ''] = address.toString().split('/p2p/', 1);
    return withoutPeerId;
  }

  peers(): readonly PeerStatus[] {
    return [...this.#links.values()].map((link) => link.status);
  }

  onPeerChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  send(to: string, message: Uint8Array): void {
    if (message.length === 0 || message.length > messageBytesMax) {
      throw new RangeError(`message of ${message.length} bytes; allowed are 1 to ${messageBytesMax}`);
    }
    const dropped = this.#links.get(to)?.send(message) ?? 1;
    if (dropped > 0) this.#logger.debug({ peer: to, dropped }, 'messages dropped');
  }

  onMessage(handler: MessageHandler): Unsubscribe {
    return this.#receiver.onMessage(handler);
  }

  async request(
    to: string,
    protocol: string,
    body: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    const connection = (): Connection | undefined => this.#links.get(to)?.connection;
    return this.#requests.request(to, connection, protocol, body, options, this.#stopping.signal);
  }

  handle(protocol: string, handler: RequestHandler): Unsubscribe {
    return this.#requests.handle(protocol, handler);
  }

  /** Both directions, at every point where libp2p asks and the peer's key is known. */
  #gater(): ConnectionGater {
    const denied = (peerId: PeerId): boolean => this.#directory.byPeerId(peerId) === undefined;
    const tooMany = (peerId: PeerId): boolean =>
      (this.#node?.getConnections(peerId).length ?? 0) >= connectionsPerMemberMax;
    return {
      denyDialPeer: denied,
      denyOutboundConnection: denied,
      denyOutboundEncryptedConnection: denied,
      denyOutboundUpgradedConnection: denied,
      denyInboundEncryptedConnection: (peerId) => denied(peerId) || tooMany(peerId),
      denyInboundUpgradedConnection: denied,
      filterMultiaddrForPeer: (peerId) => !denied(peerId),
    };
  }

  async #serve(stream: Stream, connection: Connection, kind: 'messages' | 'request'): Promise<void> {
    const member = this.#directory.byPeerId(connection.remotePeer);
    const leaves = [...this.#leaves.values()].some((leave) =>
      leave.member.peerId.equals(connection.remotePeer),
    );
    if (member === undefined && leaves) {
      stream.abort(new AppError('NOT_A_MEMBER', 'the key was rotated'));
      return;
    }
    if (member === undefined || this.#stopping.signal.aborted) {
      connection.abort(new AppError('NOT_A_MEMBER', 'the peer is not a member'));
      return;
    }
    const served =
      kind === 'messages'
        ? this.#receiver.receive(stream, connection, member)
        : this.#requests.serve(stream, connection, member, this.#stopping.signal);
    this.#running.add(served);
    await served.finally(() => this.#running.delete(served));
  }

  /**
   * Starts a link to each new member; a member that went, or whose key or address changed, loses its connections. A box
   * that has only rotated its key keeps the link that it has until it comes with the new one, for a moment.
   */
  #takeMembers(): void {
    if (this.#stopping.signal.aborted) return;
    const before = this.#directory;
    this.#directory = new MemberDirectory(this.#options.members(), this.self);
    for (const member of before.members()) {
      const { id } = member.institution;
      const now = this.#directory.byInstitution(id);
      if (now !== undefined && sameRoute(now, member)) continue;
      if (now !== undefined && sameBox(now, member) && this.#links.get(id)?.status.connected === true) {
        this.#letGo(member);
      } else {
        this.#endLeave(id);
        this.#drop(member);
      }
    }
    this.#linkMembers();
    this.#changed();
  }

  #linkMembers(): void {
    for (const member of this.#directory.members()) {
      if (this.#links.has(member.institution.id)) continue;
      const link = new PeerLink({
        self: this.self,
        chain: this.#options.chain,
        member,
        connector: {
          connectionTo: (peerId) => this.#newestConnection(peerId),
          dial: (target, signal) => this.#dial(target, signal),
        },
        clock: this.#options.clock,
        logger: this.#logger,
        onChange: () => this.#changed(),
      });
      this.#links.set(member.institution.id, link);
      link.start();
    }
  }

  /** Under its old key it opens no connection any more; what runs on the one that it has goes on. */
  #letGo(member: Member): void {
    const { id } = member.institution;
    if (this.#leaves.has(id)) return;
    const timer = this.#options.clock.setTimer(rotatedLinkMsMax, () => this.#endLeave(id));
    this.#leaves.set(id, { member, timer });
  }

  #endLeave(id: string): void {
    const leave = this.#leaves.get(id);
    if (leave === undefined) return;
    leave.timer.cancel();
    this.#leaves.delete(id);
    this.#drop(leave.member);
    if (!this.#stopping.signal.aborted) this.#linkMembers();
  }

  #drop(member: Member): void {
    const link = this.#links.get(member.institution.id);
    this.#links.delete(member.institution.id);
    if (link !== undefined) {
      const stopped = link.stop();
      this.#running.add(stopped);
      void stopped.finally(() => this.#running.delete(stopped));
    }
    const reason = new AppError(
      'NOT_A_MEMBER',
      `${member.institution.id} is no longer a member with this key`,
    );
    for (const connection of this.#node?.getConnections(member.peerId) ?? []) connection.abort(reason);
  }

  /** Of several, the newest: an older one may be dead without knowing it. */
  #newestConnection(peerId: PeerId): Connection | undefined {
    const open = (this.#node?.getConnections(peerId) ?? []).filter(
      (connection) => connection.status === 'open',
    );
    return open.sort((a, b) => b.timeline.open - a.timeline.open)[0];
  }

  async #dial(member: Member, signal: AbortSignal): Promise<Connection> {
    if (this.#node === undefined) throw new AppError('PEER_UNREACHABLE', 'the network is not running');
    const address = multiaddr(`${member.institution.endpoints.p2p}/p2p/${member.peerId.toString()}`);
    return this.#node.dial(address, { signal });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function sameRoute(a: Member, b: Member): boolean {
  return a.peerId.equals(b.peerId) && a.institution.endpoints.p2p === b.institution.endpoints.p2p;
}

/** The same TPM with another transport key, where it was before. */
function sameBox(a: Member, b: Member): boolean {
  const isSameIdentity = equalBytes(a.institution.keys.identity, b.institution.keys.identity);
  return isSameIdentity && a.institution.endpoints.p2p === b.institution.endpoints.p2p;
}

function listenFault(listen: string, cause: unknown): AppError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (message.includes('EADDRINUSE')) {
    return new AppError('PORT_IN_USE', `the p2p address ${listen} is in use`, { cause });
  }
  const code = /\bE[A-Z]{3,}\b/.exec(message)?.[0] ?? 'not a TCP multiaddr';
  return new AppError('CONFIG_INVALID', `p2p.listen: cannot listen on ${listen} (${code})`, { cause });
}
