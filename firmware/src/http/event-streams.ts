/**
 * Live consoles: server-sent events (HTML standard, 9.2). Each event is the whole overview, so that a console that
 * missed some is right again with the next one. A slow console skips; it never makes the box keep a queue.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import type { Clock, Timer, Unsubscribe } from '../ports.ts';
import type { Person } from './access.ts';
import type { BoxView } from './box-view.ts';
import {
  eventHeartbeatMs,
  eventPushMsMin,
  eventStalledMsMax,
  eventStreamsMax,
  eventStreamsPerSessionMax,
} from './limits.ts';
import { overviewOf } from './overview.ts';
import { securityHeaders } from './security-headers.ts';
import type { Sessions } from './sessions.ts';

interface Stream {
  readonly response: ServerResponse;
  readonly sessionId: string;
  /** Since when the socket takes no more; null while it does. */
  stalledSince: number | null;
  /** An overview was skipped while the socket was full. */
  behind: boolean;
}

export class EventStreams {
  readonly #box: BoxView;
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  #unsubscribe: Unsubscribe | undefined;
  #heartbeat: Timer | undefined;
  #push: Timer | undefined;
  #pushedAt = Number.NEGATIVE_INFINITY;

  constructor(box: BoxView, sessions: Sessions, clock: Clock) {
    this.#box = box;
    this.#sessions = sessions;
    this.#clock = clock;
  }

  start(): void {
    this.#unsubscribe = this.#box.onChange(() => this.#schedulePush());
    this.#scheduleHeartbeat();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#heartbeat?.cancel();
    this.#push?.cancel();
    for (const stream of this.#streams) this.#close(stream);
  }

  /** @throws AppError BUSY when too many are open. */
  open(request: FastifyRequest, reply: FastifyReply, person: Person): void {
    const own = [...this.#streams].filter((stream) => stream.sessionId === person.sessionId);
    if (this.#streams.size >= eventStreamsMax || own.length >= eventStreamsPerSessionMax) {
      throw new AppError('BUSY', 'too many consoles are open');
    }
    reply.hijack();
    const response = reply.raw;
    const stream: Stream = { response, sessionId: person.sessionId, stalledSince: null, behind: false };
    this.#streams.add(stream);
    response.on('drain', () => this.#drained(stream));
    response.on('close', () => this.#streams.delete(stream));
    // A reset of the connection is its end; 'close' follows and is all that matters.
    response.on('error', () => response.destroy());
    request.socket.setNoDelay(true);
    response.writeHead(200, { ...securityHeaders, 'content-type': 'text/event-stream; charset=utf-8' });
    this.#write(stream, `retry: 2000\n\n${overviewEvent(this.#box)}`);
  }

  /** The first change goes out at once, further ones together after `eventPushMsMin`. */
  #schedulePush(): void {
    if (this.#push !== undefined) return;
    const wait = Math.max(0, this.#pushedAt + eventPushMsMin - this.#clock.now());
    this.#push = this.#clock.setTimer(wait, () => {
      this.#push = undefined;
      this.#pushedAt = this.#clock.now();
      this.#sendAll();
    });
  }

  #sendAll(): void {
    if (this.#streams.size === 0) return;
    const event = overviewEvent(this.#box);
    for (const stream of this.#streams) {
      if (!this.#sessions.lives(stream.sessionId)) this.#close(stream);
      else if (stream.stalledSince === null) this.#write(stream, event);
      else stream.behind = true;
    }
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat = this.#clock.setTimer(eventHeartbeatMs, () => {
      const now = this.#clock.now();
      for (const stream of this.#streams) {
        if (!this.#sessions.lives(stream.sessionId)) this.#close(stream);
        else if (stream.stalledSince === null) this.#write(stream, ': alive\n\n');
        else if (now - stream.stalledSince > eventStalledMsMax) stream.response.destroy();
      }
      this.#scheduleHeartbeat();
    });
  }

  #write(stream: Stream, text: string): void {
    if (!stream.response.write(text)) stream.stalledSince = this.#clock.now();
  }

  #drained(stream: Stream): void {
    stream.stalledSince = null;
    if (!stream.behind) return;
    stream.behind = false;
    this.#write(stream, overviewEvent(this.#box));
  }

  /** Without a further word: the console asks who it is, and shows the login if the session ended. */
  #close(stream: Stream): void {
    this.#streams.delete(stream);
    stream.response.end();
  }
}

/** JSON has no line breaks of its own, so that one `data` line holds it. */
function overviewEvent(box: BoxView): string {
  return `event: overview\ndata: ${JSON.stringify(overviewOf(box))}\n\n`;
}
