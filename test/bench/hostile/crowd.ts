/** A crowd of hostile peers around one SCP: each kind at a fixed pace, so that it is the box that is tried, not this machine. */
import { connect, type Socket } from 'node:net';
import { concatBytes } from '../../../firmware/src/encoding/bytes.ts';
import { pdvHeader } from '../../../firmware/dimse/message-writer.ts';
import type { Target } from '../ingest/sender.ts';
import { type Flood, floodConnections, floods } from './floods.ts';
import { associateRequestFor, storeCommand } from './hostile-messages.ts';

/** Connections that never say a word. */
const idleConnections = 1_000;
/** Peers that send their association request a byte a second. */
const slowRequests = 50;
/** Associations that send an object's data a byte at a time. */
const slowAssociations = 20;
/** New connections a second that announce a PDU of four gigabytes. */
const oversizedPerSecond = 50;
/** Associations that send objects whose headers were made to harm, each this many a second. */
const hostileSenders = 2;
const hostileObjectsPerSecond = 2;
/** Until a peer comes again whose connection the box has closed. */
const comesAgainMs = 1_000;
const floodsAgainMs = 50;

/** All of them, but for those that come and go. */
export const hostilePeers =
  idleConnections + slowRequests + slowAssociations + hostileSenders + floodConnections;

export interface CrowdCounts {
  /** Connections that the box has ended. */
  ended: number;
  hostileObjects: number;
}

export class HostileCrowd {
  readonly #target: Target;
  readonly #callingAeTitle: string;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  readonly counts: CrowdCounts = { ended: 0, hostileObjects: 0 };

  constructor(target: Target, callingAeTitle: string) {
    this.#target = target;
    this.#callingAeTitle = callingAeTitle;
  }

  start(): void {
    const request = associateRequestFor(this.#target.aeTitle, this.#callingAeTitle);
    for (let n = 0; n < idleConnections; n++) this.#keepOpen(() => undefined);
    for (let n = 0; n < slowRequests; n++) this.#keepOpen((socket) => this.#drip(socket, request, 1_000));
    for (let n = 0; n < slowAssociations; n++) {
      this.#keepOpen((socket) => {
        socket.write(concatBytes(request, storeCommand(1)));
        this.#drip(socket, new Uint8Array(10_000), 200, (byte) =>
          concatBytes(pdvHeader(1, false, false, 1), byte),
        );
      });
    }
    this.#every(1_000 / oversizedPerSecond, () => {
      const socket = this.#open();
      socket.write(Uint8Array.of(1, 0, 0xff, 0xff, 0xff, 0xff, 0, 1));
    });
    for (const flood of floods) this.flood(flood);
    const bodies = [deeplyNested(2_000), manyElements(200_000), longPrivateElement(8_000_000)];
    for (let n = 0; n < hostileSenders; n++)
      this.#keepOpen((socket) => this.#sendObjects(socket, request, bodies));
  }

  /** One kind of flood, by itself. */
  flood({ connections, begin, again }: Flood): void {
    const first = begin(this.#target.aeTitle, this.#callingAeTitle);
    for (let n = 0; n < connections; n++) {
      const behave = (socket: Socket): void => {
        socket.write(first);
        this.#repeat(socket, again);
      };
      this.#keepOpen(behave, floodsAgainMs);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Opened again a while after the box has closed it. */
  #keepOpen(behave: (socket: Socket) => void, againMs = comesAgainMs): void {
    const socket = this.#open();
    socket.once('connect', () => behave(socket));
    socket.once('close', () => {
      this.counts.ended++;
      if (!this.#stopped) setTimeout(() => this.#stopped || this.#keepOpen(behave, againMs), againMs).unref();
    });
  }

  #open(): Socket {
    const socket = connect(this.#target.port, this.#target.host);
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.resume();
    return socket;
  }

  #drip(
    socket: Socket,
    bytes: Uint8Array,
    everyMs: number,
    wrap: (byte: Uint8Array) => Uint8Array = (byte) => byte,
  ): void {
    let at = 0;
    const timer = this.#every(everyMs, () => {
      if (socket.writable && at < bytes.length) socket.write(wrap(bytes.subarray(at, ++at)));
    });
    socket.once('close', () => this.#clear(timer));
  }

  #repeat(socket: Socket, bytes: Uint8Array): void {
    const more = (): void => {
      while (socket.writable && !socket.writableNeedDrain) socket.write(bytes);
    };
    socket.on('drain', more);
    more();
  }

  #sendObjects(socket: Socket, request: Uint8Array, bodies: readonly Uint8Array[]): void {
    socket.write(request);
    let messageId = 0;
    const timer = this.#every(1_000 / hostileObjectsPerSecond, () => {
      // A peer that is held back waits, as TCP makes it.
      if (!socket.writable || socket.writableNeedDrain) return;
      const body = bodies[messageId % bodies.length] as Uint8Array;
      messageId = (messageId + 1) % 60_000;
      socket.write(storeCommand(messageId));
      for (let at = 0; at < body.length; at += 100_000) {
        const piece = body.subarray(at, at + 100_000);
        socket.write(concatBytes(pdvHeader(1, false, at + 100_000 >= body.length, piece.length), piece));
      }
      this.counts.hostileObjects++;
    });
    socket.once('close', () => this.#clear(timer));
  }

  #every(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setInterval(run, ms);
    this.#timers.add(timer);
    return timer;
  }

  #clear(timer: NodeJS.Timeout): void {
    clearInterval(timer);
    this.#timers.delete(timer);
  }
}

function header(group: number, element: number, vr: string, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, group, true);
  view.setUint16(2, element, true);
  bytes.set([vr.charCodeAt(0), vr.charCodeAt(1)], 4);
  view.setUint32(8, length, true);
  return bytes;
}

/** Sequences in items in sequences, none of them ever closed. */
function deeplyNested(depth: number): Uint8Array {
  const item = Uint8Array.of(0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff);
  return concatBytes(
    ...Array.from({ length: depth }, () => concatBytes(header(0x0008, 0x1115, 'SQ', 0xffffffff), item)),
  );
}

/** A header of nothing but empty private elements. */
function manyElements(count: number): Uint8Array {
  const bytes = new Uint8Array(count * 12);
  for (let n = 0; n < count; n++)
    bytes.set(header(0x0009 + 2 * Math.floor(n / 0xf000 / 2), 0x1000 + (n % 0xe000), 'UN', 0), n * 12);
  return bytes;
}

/** One private value that stands before every UID. */
function longPrivateElement(length: number): Uint8Array {
  return concatBytes(header(0x0007, 0x1000, 'UN', length), new Uint8Array(length));
}
