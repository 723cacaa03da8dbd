import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { AppError } from '../errors.ts';
import type { ChainId, Institution } from '../ledger/types.ts';
import type { Clock, Logger, PeerStatus } from '../ports.ts';
import { startDeadline } from './deadline.ts';
import { FrameStream } from './frame-stream.ts';
import { checkGreeting, encodeGreeting, messagePurpose } from './greeting.ts';
import { Heartbeat } from './heartbeat.ts';
import {
  dialGraceMs,
  dialMsMax,
  greetingBytesMax,
  greetingMsMax,
  redialMsMax,
  redialMsMin,
} from './limits.ts';
import { SendQueue } from './send-queue.ts';
import type { Member } from './member-directory.ts';

/** libp2p protocol of the long-lived one-way message stream. */
export const messageProtocol = '/hilum/messages/1';

const beat = new Uint8Array(0);

/** What a link asks of the libp2p host. */
export interface Connector {
  /** The newest open connection to that peer, whoever opened it. */
  connectionTo(peerId: PeerId): Connection | undefined;
  dial(member: Member, signal: AbortSignal): Promise<Connection>;
}

export interface PeerLinkOptions {
  readonly self: string;
  readonly chain: ChainId;
  readonly member: Member;
  readonly connector: Connector;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: () => void;
}

/**
 * Keeps one member connected: finds or makes a connection, opens this box's own one-way message stream on it, greets,
 * sends what is queued, and starts again with a capped, jittered pause when any of it breaks. The peer's messages come
 * on the stream that the peer opens, so two boxes never compete for one stream. When neither is connected, the lesser
 * institution id dials at once and the greater one only after a grace time.
 */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #queue = new SendQueue();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #connection: Connection | undefined;
  #since: number;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.#since = options.clock.now();
  }

  get institution(): Institution {
    return this.#options.member.institution;
  }

  get status(): PeerStatus {
    return {
      institution: this.institution.id,
      connected: this.#connection !== undefined,
      since: this.#since,
    };
  }

  /** The connection on which the peer has accepted our greeting. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Cuts the stream; resolves when nothing of the link runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(unreachable(this.institution.id, 'is no longer wanted'));
    this.wake();
    await this.#running;
  }

  /** A connection has appeared, or may be worth trying: ends the pause. */
  wake(): void {
    this.#woken = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** How many messages were dropped for it: itself when there is no connection, older ones when the queue is full. */
  send(message: Uint8Array): number {
    return this.#queue.push(message);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        const connection = await this.#connect(signal);
        // Set by our own dial too; what comes from here on is news.
        this.#woken = false;
        await this.#talk(connection, signal, () => {
          failures = 0;
        });
      } catch (error) {
        failures++;
        if (!signal.aborted) this.#report(error);
      }
      if (!signal.aborted) await this.#rest(redialPauseMs(failures));
    }
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const { connector, member, self } = this.#options;
    const existing = connector.connectionTo(member.peerId);
    if (existing !== undefined) return existing;
    if (self > member.institution.id) {
      await this.#rest(dialGraceMs);
      signal.throwIfAborted();
      const dialled = connector.connectionTo(member.peerId);
      if (dialled !== undefined) return dialled;
    }
    const deadline = this.#deadline(dialMsMax, 'does not answer the dial', signal);
    try {
      return await connector.dial(member, deadline.signal);
    } finally {
      deadline.cancel();
    }
  }

  /** Runs the message stream until it breaks: it ends by an exception only, or when the link is stopped. */
  async #talk(connection: Connection, signal: AbortSignal, greeted: () => void): Promise<void> {
    const frames = new FrameStream(await this.#open(connection, signal), this.institution.id);
    const cut = (): void => {
      frames.abort(signal.reason as Error);
    };
    signal.addEventListener('abort', cut, { once: true });
    try {
      signal.throwIfAborted();
      await this.#greet(frames);
      greeted();
      this.#queue.open();
      this.#connected(connection);
      await this.#exchange(frames, connection);
    } finally {
      signal.removeEventListener('abort', cut);
      this.#queue.close();
      this.#connected(undefined);
      frames.abort(unreachable(this.institution.id, 'was disconnected'));
    }
  }

  async #open(connection: Connection, signal: AbortSignal): Promise<Stream> {
    const deadline = this.#deadline(greetingMsMax, 'does not take a message stream', signal);
    try {
      return await connection.newStream(messageProtocol, { signal: deadline.signal });
    } catch (error) {
      // A connection that takes no stream is of no use, and would be found again.
      connection.abort(unreachable(this.institution.id, 'takes no message stream', error));
      throw error;
    } finally {
      deadline.cancel();
    }
  }

  async #greet(frames: FrameStream): Promise<void> {
    const { self, chain, clock } = this.#options;
    const timer = clock.setTimer(greetingMsMax, () => {
      frames.abort(unreachable(this.institution.id, 'does not greet'));
    });
    try {
      await frames.write(encodeGreeting({ chain, institution: self, purpose: messagePurpose }));
      const answer = await frames.read(greetingBytesMax);
      if (answer === undefined) throw unreachable(this.institution.id, 'refused the greeting');
      checkGreeting(answer, { chain, institution: this.institution.id });
    } finally {
      timer.cancel();
    }
  }

  async #exchange(frames: FrameStream, connection: Connection): Promise<void> {
    const heartbeat = new Heartbeat(this.#options.clock, {
      beat: () => {
        if (!frames.congested) frames.write(beat).catch((error: unknown) => frames.abort(error as Error));
      },
      silent: () => {
        connection.abort(unreachable(this.institution.id, 'is silent'));
      },
      listening: () => true,
    });
    try {
      await Promise.all([this.#sendQueued(frames), this.#listen(frames, heartbeat)]);
    } finally {
      heartbeat.stop();
    }
  }

  async #sendQueued(frames: FrameStream): Promise<void> {
    for (let message = await this.#queue.take(); message !== undefined; message = await this.#queue.take()) {
      await frames.write(message);
    }
  }

  /** The way back carries beats only. */
  async #listen(frames: FrameStream, heartbeat: Heartbeat): Promise<never> {
    while ((await frames.read(0)) !== undefined) heartbeat.heard();
    throw unreachable(this.institution.id, 'closed the message stream');
  }

  #connected(connection: Connection | undefined): void {
    const changed = (connection === undefined) !== (this.#connection === undefined);
    this.#connection = connection;
    if (!changed) return;
    this.#since = this.#options.clock.now();
    this.#options.logger.info(
      { peer: this.institution.id },
      connection === undefined ? 'peer lost' : 'peer connected',
    );
    this.#options.onChange();
  }

  #report(error: unknown): void {
    const fields = { peer: this.institution.id, error };
    if (error instanceof AppError && error.code === 'PEER_MISBEHAVED') {
      this.#options.logger.warn(fields, 'peer broke the protocol');
    } else {
      this.#options.logger.debug(fields, 'peer not reached');
    }
  }

  async #rest(ms: number): Promise<void> {
    if (this.#woken) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(ms, () => this.wake());
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #deadline(ms: number, what: string, signal: AbortSignal): ReturnType<typeof startDeadline> {
    return startDeadline(this.#options.clock, ms, () => unreachable(this.institution.id, what), signal);
  }
}

function unreachable(peer: string, what: string, cause?: unknown): AppError {
  return new AppError('PEER_UNREACHABLE', `${peer} ${what}`, { cause });
}

/** Doubles with each failure up to the cap; between half and all of it, so that boxes do not return in step. */
function redialPauseMs(failures: number): number {
  const ceiling = Math.min(redialMsMax, redialMsMin * 2 ** Math.max(0, failures - 1));
  return ceiling * (0.5 + Math.random() / 2);
}
