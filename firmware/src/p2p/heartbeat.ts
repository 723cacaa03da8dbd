import type { Clock, Timer } from '../ports.ts';
import { beatMs, beatsMissedMax } from './limits.ts';

export interface HeartbeatUse {
  /** Sends a beat. */
  beat(): void;
  /** The other side has been silent for too long. */
  silent(): void;
  /** False while this side itself does not read, so that silence proves nothing. */
  listening(): boolean;
}

/**
 * Liveness of one stream. Silence is counted in beats, not in milliseconds: after this process was held up, what the
 * peer has sent meanwhile is read before the next beat, so a busy box does not cut live connections.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #use: HeartbeatUse;
  #missed = 0;
  #timer: Timer;

  constructor(clock: Clock, use: HeartbeatUse) {
    this.#clock = clock;
    this.#use = use;
    this.#timer = clock.setTimer(beatMs, () => this.#tick());
  }

  /** Something arrived. */
  heard(): void {
    this.#missed = 0;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    this.#missed = this.#use.listening() ? this.#missed + 1 : 0;
    if (this.#missed >= beatsMissedMax) {
      this.#use.silent();
      return;
    }
    this.#use.beat();
    this.#timer = this.#clock.setTimer(beatMs, () => this.#tick());
  }
}
