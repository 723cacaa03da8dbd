/** Lines between simulated boxes: each box has one of a certain bandwidth, each pair a round trip time. */
import type { Network, PeerStatus, RequestOptions, Unsubscribe } from '../../../firmware/src/ports.ts';
import type { MemoryHub, MemoryNetwork } from '../../fakes/network.ts';
import type { VirtualTime } from '../../fakes/virtual-clock.ts';
import { randomFrom } from '../../sim/random.ts';
import type { Processor } from './processor.ts';

export interface LineOptions {
  readonly roundTripMsMin: number;
  readonly roundTripMsMax: number;
  /** Of each box, in either direction. */
  readonly megabitsPerSecond: number;
  readonly seed: number;
}

/** Bytes of TCP, TLS and multiplexer around a message: one packet of each. */
const framingBytes = 90;

interface Line {
  upFreeAt: number;
  downFreeAt: number;
}

export class WideNetwork {
  readonly #time: VirtualTime;
  readonly #bytesPerMs: number;
  readonly #lines = new Map<string, Line>();
  readonly #oneWayMs = new Map<string, number>();
  readonly #options: LineOptions;
  readonly #random;
  /** Bytes that left all boxes. */
  bytes = 0;

  constructor(time: VirtualTime, options: LineOptions) {
    this.#time = time;
    this.#options = options;
    this.#bytesPerMs = (options.megabitsPerSecond * 1e6) / 8 / 1000;
    this.#random = randomFrom(options.seed);
  }

  /** Half of the round trip between two boxes, the same in both directions. */
  oneWayMs(a: string, b: string): number {
    const pair = [a, b].sort().join(' ');
    const known = this.#oneWayMs.get(pair);
    if (known !== undefined) return known;
    const { roundTripMsMin, roundTripMsMax } = this.#options;
    const ms = this.#random.between(10 * roundTripMsMin, 10 * roundTripMsMax) / 20;
    this.#oneWayMs.set(pair, ms);
    return ms;
  }

  /** Calls `arrived` when the last byte is there. The sender's line is free for the next message before that. */
  carry(from: string, to: string, bytes: number, leavesAt: number, arrived: () => void): void {
    const { events } = this.#time;
    const line = this.#line(from);
    this.bytes += bytes + framingBytes;
    const ms = (bytes + framingBytes) / this.#bytesPerMs;
    line.upFreeAt = Math.max(line.upFreeAt, leavesAt) + ms;
    const reachesAt = line.upFreeAt + this.oneWayMs(from, to);
    events.after(reachesAt - events.now, () => {
      const target = this.#line(to);
      // The first byte came `ms` before the last: only a line that others use delays it.
      const endsAt = Math.max(target.downFreeAt + ms, events.now);
      target.downFreeAt = endsAt;
      if (endsAt === events.now) arrived();
      else events.after(endsAt - events.now, arrived);
    });
  }

  #line(id: string): Line {
    const line = this.#lines.get(id) ?? { upFreeAt: 0, downFreeAt: 0 };
    this.#lines.set(id, line);
    return line;
  }
}

/** What a message costs its receiver, and its sender for each peer. Milliseconds. */
export interface MessageWork {
  readonly receiveMs: number;
  readonly sendMs: number;
}

/** A box's network: messages go over the lines and cost both processors; requests (catch-up) take one way each. */
export class BoxNetwork implements Network {
  readonly self: string;
  readonly #inner: MemoryNetwork;
  readonly #hub: MemoryHub;
  readonly #wide: WideNetwork;
  readonly #processors: ReadonlyMap<string, Processor>;
  readonly #workOf: (message: Uint8Array) => MessageWork;

  constructor(
    self: string,
    parts: {
      readonly hub: MemoryHub;
      readonly wide: WideNetwork;
      readonly processors: ReadonlyMap<string, Processor>;
      readonly workOf: (message: Uint8Array) => MessageWork;
    },
  ) {
    this.self = self;
    this.#hub = parts.hub;
    this.#inner = parts.hub.join(self);
    this.#wide = parts.wide;
    this.#processors = parts.processors;
    this.#workOf = parts.workOf;
  }

  peers(): readonly PeerStatus[] {
    return this.#inner.peers();
  }

  onPeerChange(listener: () => void): Unsubscribe {
    return this.#inner.onPeerChange(listener);
  }

  send(to: string, message: Uint8Array): void {
    const own = this.#processor(this.self);
    const target = this.#processor(to);
    const { sendMs, receiveMs } = this.#workOf(message);
    own.charge(sendMs);
    this.#wide.carry(this.self, to, message.length, own.doneAt, () => {
      target.run(() => {
        target.charge(receiveMs);
        this.#hub.member(to)?.arrive(this.self, message);
      });
    });
  }

  onMessage(handler: (from: string, message: Uint8Array) => void | Promise<void>): Unsubscribe {
    return this.#inner.onMessage(handler);
  }

  request(to: string, protocol: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return this.#inner.request(to, protocol, body, options);
  }

  handle(
    protocol: string,
    handler: (from: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>,
  ): Unsubscribe {
    return this.#inner.handle(protocol, handler);
  }

  #processor(id: string): Processor {
    const processor = this.#processors.get(id);
    if (processor === undefined) throw new Error(`no box ${id}`);
    return processor;
  }
}
