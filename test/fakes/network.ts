import { AppError } from '../../firmware/src/errors.ts';
import {
  answerBytesMax,
  messageBytesMax,
  queueMessagesMax,
  requestBytesMax,
  requestMs,
  requestMsMax,
} from '../../firmware/src/p2p/limits.ts';
import type { Clock, Network, PeerStatus, RequestOptions, Unsubscribe } from '../../firmware/src/ports.ts';

type MessageHandler = (from: string, message: Uint8Array) => void | Promise<void>;
type RequestHandler = (from: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

export interface MemoryHubOptions {
  readonly clock: Clock;
  /**
   * Runs one step on the way from one member to another: a message, a request, an answer. By default in the next
   * microtask, so the order of delivery is the order of sending; a simulation delays, reorders or forgets steps here.
   */
  readonly schedule?: (from: string, to: string, step: () => void) => void;
}

/** The wires between in-memory networks: everyone is connected to everyone until told otherwise. */
export class MemoryHub {
  readonly clock: Clock;
  readonly schedule: (from: string, to: string, step: () => void) => void;
  readonly #members = new Map<string, MemoryNetwork>();
  readonly #cut = new Set<string>();
  /** Ends of the requests that are under way. */
  readonly #requests = new Set<(reason: AppError) => void>();

  constructor(options: MemoryHubOptions) {
    this.clock = options.clock;
    this.schedule = options.schedule ?? ((_from, _to, step) => queueMicrotask(step));
  }

  join(id: string): MemoryNetwork {
    if (this.#members.has(id)) throw new Error(`${id} has joined already`);
    const network = new MemoryNetwork(id, this);
    this.#members.set(id, network);
    for (const other of this.#members.values()) other.linkChanged();
    return network;
  }

  /** Takes a member out of the consortium: nobody lists, hears or reaches it any more. */
  remove(id: string): void {
    const gone = this.#members.get(id);
    this.#members.delete(id);
    gone?.linkChanged();
    for (const other of this.#members.values()) other.linkChanged();
  }

  /** Cuts or restores the wire between two members, in both directions. */
  setConnected(a: string, b: string, connected: boolean): void {
    const key = wire(a, b);
    if (connected) this.#cut.delete(key);
    else this.#cut.add(key);
    this.#members.get(a)?.linkChanged();
    this.#members.get(b)?.linkChanged();
  }

  isConnected(a: string, b: string): boolean {
    return this.#members.has(a) && this.#members.has(b) && !this.#cut.has(wire(a, b));
  }

  /** Called by a member that asks: how its request is given up. To be called back when it is over. */
  asks(giveUp: (reason: AppError) => void): Unsubscribe {
    this.#requests.add(giveUp);
    return () => this.#requests.delete(giveUp);
  }

  /**
   * The world ends, and with it what is asked in it. Time ends too, and no request would end by itself: Node keeps a
   * signal that is made of others (`AbortSignal.any`) for as long as somebody listens to it, and with it the world.
   */
  close(): void {
    for (const id of [...this.#members.keys()]) this.remove(id);
    for (const giveUp of this.#requests)
      giveUp(new AppError('PEER_UNREACHABLE', 'there is no network any more'));
  }

  member(id: string): MemoryNetwork | undefined {
    return this.#members.get(id);
  }

  others(id: string): string[] {
    return this.#members.has(id) ? [...this.#members.keys()].filter((other) => other !== id) : [];
  }
}

function wire(a: string, b: string): string {
  return [a, b].sort().join(' ');
}

/** The Network port without sockets: same bounds, same refusals, delivery in a fixed order. */
export class MemoryNetwork implements Network {
  readonly self: string;
  readonly #hub: MemoryHub;
  readonly #requestHandlers = new Map<string, RequestHandler>();
  readonly #inboxes = new Map<string, { messages: Uint8Array[]; busy: boolean }>();
  readonly #listeners = new Set<() => void>();
  readonly #since = new Map<string, { connected: boolean; since: number }>();
  #messageHandler: MessageHandler | undefined;

  constructor(self: string, hub: MemoryHub) {
    this.self = self;
    this.#hub = hub;
  }

  peers(): readonly PeerStatus[] {
    return this.#hub.others(this.self).map((institution) => {
      const connected = this.#hub.isConnected(this.self, institution);
      return { institution, connected, since: this.#since.get(institution)?.since ?? 0 };
    });
  }

  onPeerChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called by the hub. */
  linkChanged(): void {
    for (const institution of this.#hub.others(this.self)) {
      const connected = this.#hub.isConnected(this.self, institution);
      if (this.#since.get(institution)?.connected === connected) continue;
      this.#since.set(institution, { connected, since: this.#hub.clock.now() });
      if (!connected) this.#inboxes.delete(institution);
    }
    for (const listener of this.#listeners) listener();
  }

  send(to: string, message: Uint8Array): void {
    if (message.length === 0 || message.length > messageBytesMax) {
      throw new RangeError(`message of ${message.length} bytes; allowed are 1 to ${messageBytesMax}`);
    }
    if (!this.#hub.isConnected(this.self, to)) return;
    this.#hub.schedule(this.self, to, () => {
      if (this.#hub.isConnected(this.self, to)) this.#hub.member(to)?.arrive(this.self, message);
    });
  }

  /** Called by the sender's side. */
  arrive(from: string, message: Uint8Array): void {
    const inbox = this.#inboxes.get(from) ?? { messages: [], busy: false };
    this.#inboxes.set(from, inbox);
    inbox.messages.push(message);
    if (inbox.messages.length > queueMessagesMax) inbox.messages.shift();
    if (!inbox.busy) void this.#deliver(from, inbox);
  }

  async #deliver(from: string, inbox: { messages: Uint8Array[]; busy: boolean }): Promise<void> {
    inbox.busy = true;
    for (let next = inbox.messages.shift(); next !== undefined; next = inbox.messages.shift()) {
      await this.#messageHandler?.(from, next);
    }
    inbox.busy = false;
  }

  onMessage(handler: MessageHandler): Unsubscribe {
    if (this.#messageHandler !== undefined) throw new Error('a message handler is set already');
    this.#messageHandler = handler;
    return () => {
      if (this.#messageHandler === handler) this.#messageHandler = undefined;
    };
  }

  async request(
    to: string,
    protocol: string,
    body: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    if (body.length > requestBytesMax) throw new RangeError(`request of ${body.length} bytes`);
    options.signal?.throwIfAborted();
    const unreachable = (what: string): AppError => new AppError('PEER_UNREACHABLE', `${to} ${what}`);
    if (!this.#hub.isConnected(this.self, to)) throw unreachable('is not connected');
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const givenUp = new AbortController();
    const giveUp = (reason: Error): void => {
      reject(reason);
      givenUp.abort(reason);
    };
    const timer = this.#hub.clock.setTimer(Math.min(options.timeoutMs ?? requestMs, requestMsMax), () => {
      giveUp(unreachable(`did not answer ${protocol} in time`));
    });
    const onAbort = (): void => giveUp(options.signal?.reason as Error);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const isOver = this.#hub.asks(giveUp);
    this.#hub.schedule(this.self, to, () => {
      void this.#serveAt(to, protocol, body, givenUp.signal).then((answer) => {
        this.#hub.schedule(to, this.self, () => {
          if (answer === undefined) reject(unreachable(`gave no answer to ${protocol}`));
          else if (answer.length > Math.min(options.answerBytesMax ?? answerBytesMax, answerBytesMax)) {
            reject(new AppError('PEER_MISBEHAVED', `${to} answered with ${answer.length} bytes`));
          } else resolve(answer);
        });
      });
    });
    try {
      return await promise;
    } finally {
      timer.cancel();
      isOver();
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** The answer of the other side's handler; undefined when it has none or fails, as on the wire. */
  async #serveAt(
    to: string,
    protocol: string,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    if (!this.#hub.isConnected(this.self, to)) return undefined;
    const handler = this.#hub.member(to)?.requestHandler(protocol);
    return handler === undefined ? undefined : handler(this.self, body, signal).catch(() => undefined);
  }

  /** Asked by the other side. */
  requestHandler(protocol: string): RequestHandler | undefined {
    return this.#requestHandlers.get(protocol);
  }

  handle(protocol: string, handler: RequestHandler): Unsubscribe {
    if (this.#requestHandlers.has(protocol)) throw new Error(`${protocol} has a handler already`);
    this.#requestHandlers.set(protocol, handler);
    return () => {
      if (this.#requestHandlers.get(protocol) === handler) this.#requestHandlers.delete(protocol);
    };
  }
}
