import type { TLSSocket } from 'node:tls';
import { u32 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { FrameDecoder } from './framing.ts';
import { planeFrameBytesMax } from './limits.ts';

/**
 * Frames over a TLS connection whose peer has been admitted, pulled by one reader, written by one writer. Nothing
 * waits longer for the peer than the caller allows; the time that the caller itself takes does not count.
 */
export class PlaneChannel {
  readonly #socket: TLSSocket;
  readonly #peer: string;
  readonly #clock: Clock;
  readonly #reset: () => void;
  readonly #decoder: FrameDecoder;
  readonly #closed = new AbortController();
  #failure: Error | undefined;
  #ended = false;
  #mute = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /**
   * @param peer whom to name in errors.
   * @param reset throws away what the system still holds for sending, where the raw socket is at hand.
   */
  constructor(socket: TLSSocket, peer: string, clock: Clock, reset: () => void = () => undefined) {
    this.#reset = reset;
    this.#socket = socket;
    this.#peer = peer;
    this.#clock = clock;
    this.#decoder = new FrameDecoder(peer);
    socket.on('data', (chunk: Buffer) => {
      if (this.#mute) {
        this.cut(new AppError('PEER_MISBEHAVED', `${peer} sent more than its request`));
        return;
      }
      this.#decoder.push(chunk);
      // One frame may lie complete while the next arrives; more waits in the peer.
      if (this.#decoder.bytes > planeFrameBytesMax) socket.pause();
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('drain', () => this.#wake());
    socket.on('error', (cause) => {
      this.#failure ??= new AppError('PEER_UNREACHABLE', `the connection with ${peer} broke`, { cause });
    });
    socket.on('close', () => this.#close(this.#unreachable('was closed')));
  }

  /** Aborted when the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * The next frame, or undefined when the peer has ended.
   * @throws AppError PEER_UNREACHABLE (broken, silent for too long), PEER_MISBEHAVED (too long a frame), or the
   * reason given to `cut`.
   */
  async read(frameBytesMax: number, silenceMsMax: number): Promise<Uint8Array | undefined> {
    for (;;) {
      // What arrived whole before the connection broke still counts.
      const frame = this.#decoder.next(frameBytesMax);
      if (frame !== undefined) return frame;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      if (this.#socket.isPaused()) this.#socket.resume();
      await this.#waitForPeer(silenceMsMax, (wake) => {
        this.#wakeReader = wake;
      });
    }
  }

  /**
   * Resolves when the connection takes more.
   * @throws AppError PEER_UNREACHABLE (broken, taking nothing for too long), or the reason given to `cut`.
   */
  async write(payload: Uint8Array, silenceMsMax: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#socket.cork();
    this.#socket.write(u32(payload.length));
    const more = this.#socket.write(payload);
    this.#socket.uncork();
    if (more) return;
    while (this.#socket.writableNeedDrain && !this.#closed.signal.aborted) {
      await this.#waitForPeer(silenceMsMax, (wake) => {
        this.#wakeWriter = wake;
      });
    }
    this.closed.throwIfAborted();
  }

  /** From now on the peer has nothing to say; if it does, it is cut. Its leaving is still noticed. */
  mute(): void {
    this.#mute = true;
    if (this.#decoder.bytes > 0)
      this.cut(new AppError('PEER_MISBEHAVED', `${this.#peer} sent more than its request`));
  }

  /** Sends what is written, ends, and resolves when the connection is closed, by force after the time. */
  async end(msMax: number): Promise<void> {
    this.#socket.end();
    while (!this.#closed.signal.aborted) {
      await this.#waitForPeer(msMax, (wake) => {
        this.#wakeReader = wake;
      });
    }
  }

  /** Closes at once: what waits for sending is not sent. Pending reads and writes reject with the reason. */
  cut(reason: Error): void {
    // uv_tcp_close_reset fails after uv_shutdown and would leak the handle; then there is no more to throw away.
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#reset();
    this.#close(reason);
    this.#socket.destroy();
  }

  #close(reason: Error): void {
    this.#ended = true;
    this.#failure ??= reason;
    this.#closed.abort(this.#failure);
    this.#wake();
  }

  async #waitForPeer(msMax: number, arm: (wake: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(msMax, () => {
        this.cut(this.#unreachable(`was silent for ${msMax} ms`));
      });
      arm(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #wake(): void {
    const reader = this.#wakeReader;
    const writer = this.#wakeWriter;
    this.#wakeReader = undefined;
    this.#wakeWriter = undefined;
    reader?.();
    writer?.();
  }

  #unreachable(what: string): AppError {
    return new AppError('PEER_UNREACHABLE', `the connection with ${this.#peer} ${what}`);
  }
}
