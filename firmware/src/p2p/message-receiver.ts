import type { Connection, Stream } from '@libp2p/interface';
import { AppError, errorTable } from '../errors.ts';
import type { ChainId } from '../ledger/types.ts';
import type { Clock, Logger, Unsubscribe } from '../ports.ts';
import { FrameStream } from './frame-stream.ts';
import { checkGreeting, encodeGreeting, messagePurpose } from './greeting.ts';
import { Heartbeat } from './heartbeat.ts';
import { greetingBytesMax, greetingMsMax, messageBytesMax } from './limits.ts';
import type { Member } from './member-directory.ts';

const beat = new Uint8Array(0);

export type MessageHandler = (from: string, message: Uint8Array) => void | Promise<void>;

/** The receiving ends of the members' message streams: greets, beats back, and hands over one message at a time. */
export class MessageReceiver {
  readonly #self: string;
  readonly #chain: ChainId;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #streams = new Map<string, FrameStream>();
  #handler: MessageHandler | undefined;

  constructor(options: {
    readonly self: string;
    readonly chain: ChainId;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#self = options.self;
    this.#chain = options.chain;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** One handler; a second one is a bug of the caller. */
  onMessage(handler: MessageHandler): Unsubscribe {
    if (this.#handler !== undefined) throw new Error('a message handler is set already');
    this.#handler = handler;
    return () => {
      if (this.#handler === handler) this.#handler = undefined;
    };
  }

  /** Serves one inbound message stream; resolves when it has ended. A member has one: a newer stream replaces it. */
  async receive(stream: Stream, connection: Connection, member: Member): Promise<void> {
    const peer = member.institution.id;
    const frames = new FrameStream(stream, peer);
    try {
      await this.#greet(frames, peer);
      this.#streams
        .get(peer)
        ?.abort(new AppError('PEER_UNREACHABLE', `${peer} opened a newer message stream`));
      this.#streams.set(peer, frames);
      await this.#deliver(frames, connection, peer);
      await frames.end();
    } catch (error) {
      this.#refuse(error, frames, connection, peer);
    } finally {
      if (this.#streams.get(peer) === frames) this.#streams.delete(peer);
    }
  }

  async #greet(frames: FrameStream, peer: string): Promise<void> {
    const timer = this.#clock.setTimer(greetingMsMax, () => {
      frames.abort(new AppError('PEER_UNREACHABLE', `${peer} does not greet`));
    });
    try {
      const greeting = await frames.read(greetingBytesMax);
      if (greeting === undefined) throw new AppError('PEER_UNREACHABLE', `${peer} left before it greeted`);
      const purpose = checkGreeting(greeting, { chain: this.#chain, institution: peer });
      if (purpose !== messagePurpose)
        throw new AppError('PEER_MISBEHAVED', `${peer} greeted for another purpose`);
      await frames.write(
        encodeGreeting({ chain: this.#chain, institution: this.#self, purpose: messagePurpose }),
      );
    } finally {
      timer.cancel();
    }
  }

  async #deliver(frames: FrameStream, connection: Connection, peer: string): Promise<void> {
    let handling = false;
    // Beats go back whether or not the handler is busy: a slow box is not a lost one.
    const heartbeat = new Heartbeat(this.#clock, {
      beat: () => {
        if (!frames.congested) frames.write(beat).catch((error: unknown) => frames.abort(error as Error));
      },
      silent: () => {
        connection.abort(new AppError('PEER_UNREACHABLE', `${peer} is silent`));
      },
      listening: () => !handling,
    });
    try {
      for (;;) {
        const message = await frames.read(messageBytesMax);
        if (message === undefined) return;
        heartbeat.heard();
        if (message.length === 0) continue;
        handling = true;
        await this.#handler?.(peer, message);
        handling = false;
      }
    } finally {
      heartbeat.stop();
    }
  }

  /** Whatever a message of the peer causes is its own loss: the stream ends, after a violation the connection too. */
  #refuse(error: unknown, frames: FrameStream, connection: Connection, peer: string): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    const fields = { peer, error: reason };
    frames.abort(reason);
    if (!(error instanceof AppError)) {
      this.#logger.error(fields, 'message handler failed');
    } else if (errorTable[error.code].peer === 'reject') {
      this.#logger.warn(fields, 'peer disconnected for what it sent');
      connection.abort(reason);
    } else {
      this.#logger.debug(fields, 'message stream ended');
    }
  }
}
