import type { Connection, Stream } from '@libp2p/interface';
import { concatBytes, u8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ChainId } from '../ledger/types.ts';
import type { Clock, Logger, RequestOptions, Unsubscribe } from '../ports.ts';
import { startDeadline } from './deadline.ts';
import { FrameStream } from './frame-stream.ts';
import { checkGreeting, encodeGreeting, messagePurpose } from './greeting.ts';
import {
  answerBytesMax,
  greetingBytesMax,
  protocolNameBytesMax,
  requestBytesMax,
  requestMs,
  requestMsMax,
  requestsInboundPerMemberMax,
  requestsOutboundPerMemberMax,
  requestsWaitingPerMemberMax,
} from './limits.ts';
import type { Member } from './member-directory.ts';
import { Slots } from './slots.ts';

/**
 * One stream per request. Out: greeting (its purpose is the name of the request's protocol), body. Back: one frame,
 * u8 status and, if that is 0, the answer.
 */
export const requestProtocol = '/hilum/requests/1';

const statuses = ['answer', 'no-such-protocol', 'busy', 'failed'] as const;
type Status = (typeof statuses)[number];

/** Must end soon after the signal has fired: `stop` waits for it. */
export type RequestHandler = (from: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

export interface RequestsOptions {
  readonly self: string;
  readonly chain: ChainId;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Both sides of requests: asks other members, and answers theirs by the handlers that are set. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #outbound = new Map<string, Slots>();
  readonly #inbound = new Map<string, Slots>();

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** One handler per protocol; a second one, or a name that is empty or too long, is a bug of the caller. */
  handle(protocol: string, handler: RequestHandler): Unsubscribe {
    assertProtocolName(protocol);
    if (this.#handlers.has(protocol)) throw new Error(`${protocol} has a handler already`);
    this.#handlers.set(protocol, handler);
    return () => {
      if (this.#handlers.get(protocol) === handler) this.#handlers.delete(protocol);
    };
  }

  /**
   * @param connection asked for once a slot is free.
   * @throws AppError PEER_UNREACHABLE, PEER_MISBEHAVED; the reason of the caller's signal.
   */
  async request(
    to: string,
    connection: () => Connection | undefined,
    protocol: string,
    body: Uint8Array,
    options: RequestOptions,
    stopping: AbortSignal,
  ): Promise<Uint8Array> {
    assertProtocolName(protocol);
    if (body.length > requestBytesMax)
      throw new RangeError(`request of ${body.length} bytes; the limit is ${requestBytesMax}`);
    const timeoutMs = Math.min(options.timeoutMs ?? requestMs, requestMsMax);
    const late = (): AppError =>
      new AppError('PEER_UNREACHABLE', `${to} did not answer ${protocol} within ${timeoutMs} ms`);
    const deadline = startDeadline(this.#options.clock, timeoutMs, late, options.signal, stopping);
    try {
      const slots = slotsOf(this.#outbound, to, requestsOutboundPerMemberMax, requestsWaitingPerMemberMax);
      if (!(await slots.take(deadline.signal))) {
        throw new AppError('PEER_UNREACHABLE', `too many requests to ${to} wait already`);
      }
      try {
        const open = connection();
        if (open === undefined) throw new AppError('PEER_UNREACHABLE', `${to} is not connected`);
        return await this.#ask(
          open,
          to,
          protocol,
          body,
          options.answerBytesMax ?? answerBytesMax,
          deadline.signal,
        );
      } finally {
        slots.release();
      }
    } finally {
      deadline.cancel();
    }
  }

  async #ask(
    connection: Connection,
    to: string,
    protocol: string,
    body: Uint8Array,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const frames = new FrameStream(await this.#open(connection, to, signal), to);
    const cut = (): void => {
      frames.abort(signal.reason as Error);
    };
    signal.addEventListener('abort', cut, { once: true });
    try {
      signal.throwIfAborted();
      const { chain, self } = this.#options;
      await frames.write(encodeGreeting({ chain, institution: self, purpose: protocol }));
      await frames.write(body);
      const answer = await frames.read(1 + Math.min(bytesMax, answerBytesMax));
      if (answer === undefined) throw new AppError('PEER_UNREACHABLE', `${to} gave no answer to ${protocol}`);
      const status = statuses[answer[0] ?? statuses.length];
      if (status === undefined)
        throw new AppError('PEER_MISBEHAVED', `${to} answered ${protocol} with an unknown status`);
      if (status !== 'answer')
        throw new AppError('PEER_UNREACHABLE', `${to} answered ${protocol} with: ${status}`);
      await frames.end().catch((error: unknown) => {
        this.#options.logger.debug({ peer: to, protocol, error }, 'answered, then broke');
      });
      return answer.subarray(1);
    } catch (error) {
      frames.abort(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  async #open(connection: Connection, to: string, signal: AbortSignal): Promise<Stream> {
    try {
      return await connection.newStream(requestProtocol, {
        signal,
        maxOutboundStreams: requestsOutboundPerMemberMax,
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new AppError('PEER_UNREACHABLE', `${to} takes no request`, { cause });
    }
  }

  /** Serves one inbound request; resolves when its stream has ended. */
  async serve(stream: Stream, connection: Connection, member: Member, stopping: AbortSignal): Promise<void> {
    const peer = member.institution.id;
    const frames = new FrameStream(stream, peer);
    const late = (): AppError =>
      new AppError('PEER_UNREACHABLE', `a request of ${peer} took longer than ${requestMsMax} ms`);
    const deadline = startDeadline(this.#options.clock, requestMsMax, late, stopping, frames.closed);
    deadline.signal.addEventListener('abort', () => frames.abort(deadline.signal.reason as Error), {
      once: true,
    });
    const slots = slotsOf(this.#inbound, peer, requestsInboundPerMemberMax, 0);
    const admitted = slots.tryTake();
    try {
      const [status, answer] = admitted ? await this.#answer(frames, peer, deadline.signal) : busy;
      await frames.write(concatBytes(u8(statuses.indexOf(status)), answer));
      await frames.end();
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      frames.abort(reason);
      const misbehaved = error instanceof AppError && error.code === 'PEER_MISBEHAVED';
      this.#options.logger[misbehaved ? 'warn' : 'debug']({ peer, error: reason }, 'request not answered');
      if (misbehaved) connection.abort(reason);
    } finally {
      if (admitted) slots.release();
      deadline.cancel();
    }
  }

  async #answer(
    frames: FrameStream,
    peer: string,
    signal: AbortSignal,
  ): Promise<readonly [Status, Uint8Array]> {
    const greeting = await frames.read(greetingBytesMax);
    if (greeting === undefined) throw new AppError('PEER_UNREACHABLE', `${peer} left before it greeted`);
    const protocol = checkGreeting(greeting, { chain: this.#options.chain, institution: peer });
    const body = await frames.read(requestBytesMax);
    if (body === undefined) throw new AppError('PEER_UNREACHABLE', `${peer} left before its request`);
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) return ['no-such-protocol', nothing];
    let answer: Uint8Array;
    try {
      answer = await handler(peer, body, signal);
    } catch (error) {
      if (error instanceof AppError && error.code === 'PEER_MISBEHAVED') throw error;
      const fields = { peer, protocol, error };
      if (signal.aborted) this.#options.logger.debug(fields, 'request given up');
      else this.#options.logger.error(fields, 'request handler failed');
      return ['failed', nothing];
    }
    if (answer.length <= answerBytesMax) return ['answer', answer];
    this.#options.logger.error({ peer, protocol, bytes: answer.length }, 'answer over the limit');
    return ['failed', nothing];
  }
}

const nothing = new Uint8Array(0);
const busy = ['busy', nothing] as const;

function slotsOf(all: Map<string, Slots>, member: string, slotsMax: number, waitingMax: number): Slots {
  let slots = all.get(member);
  if (slots === undefined) {
    slots = new Slots(slotsMax, waitingMax);
    all.set(member, slots);
  }
  return slots;
}

function assertProtocolName(protocol: string): void {
  if (protocol.length === 0 || protocol.length > protocolNameBytesMax || protocol === messagePurpose) {
    throw new RangeError(`"${protocol}" is no name for a request protocol`);
  }
}
