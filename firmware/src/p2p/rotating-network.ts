/**
 * The Network port of a box whose transport key changes: libp2p has one identity for its life, so another one takes its
 * place and everything that was registered moves over. The old identity serves until the members know of the new one.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Network, PeerStatus, RequestOptions, Service, Timer, Unsubscribe } from '../ports.ts';
import { Libp2pNetwork, type Libp2pNetworkOptions } from './libp2p-network.ts';
import { identityChangeMs, identityLonelyMs, redialMsMax } from './limits.ts';
import type { MessageHandler } from './message-receiver.ts';
import type { RequestHandler } from './requests.ts';

export interface RotatingNetworkOptions extends Omit<Libp2pNetworkOptions, 'transportSeed'> {
  /**
   * Ed25519 seeds of the transport keys that this box holds, 32 bytes each, one at least: first the one that the ledger
   * names. Asked from `start` on, and again after each change of the members.
   */
  readonly transportSeeds: () => readonly Uint8Array[];
}

export class RotatingNetwork implements Network, Service {
  readonly self: string;
  readonly #options: RotatingNetworkOptions;
  readonly #listeners = new Set<() => void>();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #stopping = new AbortController();
  #onMessage: MessageHandler | undefined;
  #seed: Uint8Array | undefined;
  /** Undefined before `start`, and while another identity takes the place of one. */
  #inner: Libp2pNetwork | undefined;
  #changing: Promise<void> = Promise.resolve();
  #changeTimer: Timer | undefined;
  #lonelyTimer: Timer | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: RotatingNetworkOptions) {
    this.self = options.self;
    this.#options = options;
  }

  /** @throws AppError PORT_IN_USE, CONFIG_INVALID (the address cannot be listened on). */
  async start(): Promise<void> {
    await this.#take(this.#named());
    this.#unsubscribe = this.#options.onMembersChange(() => this.#follow());
  }

  /** Resolves when no connection, stream, timer or handler of it is left. */
  async stop(): Promise<void> {
    this.#stopping.abort(new AppError('PEER_UNREACHABLE', 'the network is stopping'));
    this.#unsubscribe?.();
    this.#changeTimer?.cancel();
    this.#lonelyTimer?.cancel();
    await this.#changing;
    await this.#inner?.stop();
  }

  /** Where it listens, without the peer id; after `start` only. */
  multiaddr(): string {
    if (this.#inner === undefined) throw new Error('the network has not been started');
    return this.#inner.multiaddr();
  }

  /** True if the others know this box by the key that the ledger names: no other one is needed any more. */
  hasSettled(): boolean {
    const usesNamed = this.#seed !== undefined && equalBytes(this.#seed, this.#named());
    return usesNamed && this.peers().some(({ connected }) => connected);
  }

  peers(): readonly PeerStatus[] {
    return this.#inner?.peers() ?? [];
  }

  onPeerChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  send(to: string, message: Uint8Array): void {
    this.#inner?.send(to, message);
  }

  onMessage(handler: MessageHandler): Unsubscribe {
    if (this.#onMessage !== undefined) throw new Error('a message handler is set already');
    this.#onMessage = handler;
    return () => {
      if (this.#onMessage === handler) this.#onMessage = undefined;
    };
  }

  async request(
    to: string,
    protocol: string,
    body: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    if (this.#inner === undefined) throw new AppError('PEER_UNREACHABLE', `${to} is not connected`);
    return this.#inner.request(to, protocol, body, options);
  }

  handle(protocol: string, handler: RequestHandler): Unsubscribe {
    if (this.#handlers.has(protocol)) throw new Error(`${protocol} has a handler already`);
    this.#handlers.set(protocol, handler);
    const unhandle = this.#inner?.handle(protocol, this.#served(protocol));
    return () => {
      if (this.#handlers.get(protocol) === handler) this.#handlers.delete(protocol);
      unhandle?.();
    };
  }

  /** Whichever handler there is when the request comes: it outlives an identity. */
  #served(protocol: string): RequestHandler {
    return (from, body, signal) => {
      const handler = this.#handlers.get(protocol);
      if (handler === undefined) throw new AppError('PEER_UNREACHABLE', `nobody serves ${protocol} here`);
      return handler(from, body, signal);
    };
  }

  #named(): Uint8Array {
    const [named] = this.#options.transportSeeds();
    if (named === undefined) throw new Error('the box holds no transport key');
    return named;
  }

  /** The members have changed, this box perhaps among them. */
  #follow(): void {
    if (this.#changeTimer !== undefined || (this.#seed && equalBytes(this.#seed, this.#named()))) return;
    this.#changeTimer = this.#options.clock.setTimer(identityChangeMs, () => {
      this.#changeTimer = undefined;
      this.#change(() => this.#named());
    });
  }

  /**
   * Nobody talks to this box: it is cut off, or the others have not seen that its key changed. If they need its vote to
   * see that, they never will unless they hear it by its old key: it tries its keys in turn.
   */
  #watchLoneliness(): void {
    const isLonely = this.peers().length > 0 && !this.peers().some(({ connected }) => connected);
    if (!isLonely || this.#options.transportSeeds().length < 2) {
      this.#lonelyTimer?.cancel();
      this.#lonelyTimer = undefined;
      return;
    }
    this.#lonelyTimer ??= this.#options.clock.setTimer(identityLonelyMs, () => {
      this.#lonelyTimer = undefined;
      this.#change(() => this.#next());
    });
  }

  #next(): Uint8Array {
    const seeds = this.#options.transportSeeds();
    const at = seeds.findIndex((seed) => this.#seed !== undefined && equalBytes(seed, this.#seed));
    return seeds[at + 1] ?? this.#named();
  }

  #change(next: () => Uint8Array): void {
    this.#changing = this.#changing.then(async () => {
      const seed = next();
      if (this.#stopping.signal.aborted || (this.#seed && equalBytes(this.#seed, seed))) return;
      const before = this.#inner;
      this.#inner = undefined;
      await before?.stop();
      await this.#takePatiently(seed);
    });
  }

  /** Its port was free a moment ago: whoever has taken it is waited for. */
  async #takePatiently(seed: Uint8Array): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#take(seed);
        logger.info({}, 'p2p has changed its identity');
        return;
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        logger.error({ code: error.code }, 'p2p could not change its identity');
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(redialMsMax, resolve);
          signal.addEventListener('abort', () => (timer.cancel(), resolve()), { once: true });
        });
      }
    }
  }

  async #take(seed: Uint8Array): Promise<void> {
    const network = new Libp2pNetwork({ ...this.#options, transportSeed: seed });
    network.onMessage((from, message) => this.#onMessage?.(from, message));
    network.onPeerChange(() => {
      if (network === this.#inner) this.#told();
    });
    for (const protocol of this.#handlers.keys()) network.handle(protocol, this.#served(protocol));
    await network.start();
    this.#inner = network;
    this.#seed = seed;
    this.#told();
  }

  #told(): void {
    if (!this.#stopping.signal.aborted) this.#watchLoneliness();
    for (const listener of this.#listeners) listener();
  }
}
