import { AppError } from '../errors.ts';
import type { Attester, Clock, HealthBoard, Service, Timer } from '../ports.ts';
import type { OpenDeviceKeys } from '../../tpm/index.ts';

/** How often the TPM is asked whether it is there and well. */
export const tpmProbeMs = 60_000;

/** What stands on the board for it. */
const subject = 'TPM';

/** Why members would not believe what this box booted, though its TPM is well: they get no event log. */
export async function eventLogFault(attester: Pick<Attester, 'eventLog'>): Promise<AppError | undefined> {
  try {
    await attester.eventLog();
    return undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === 'EVENT_LOG_UNUSABLE') return error;
    throw error;
  }
}

export interface TpmWatchModules {
  readonly keys: Pick<OpenDeviceKeys, 'probe'> & { readonly attester: Pick<Attester, 'eventLog'> };
  readonly health: HealthBoard;
  readonly clock: Pick<Clock, 'setTimer'>;
}

/**
 * A TPM that fails while the box runs is an alarm; what was unsealed stays usable. An event log that it cannot show is one
 * from the start on, since nothing else of the box needs the log: only the other members would notice.
 */
export class TpmWatch implements Service {
  readonly #modules: TpmWatchModules;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(modules: TpmWatchModules) {
    this.#modules = modules;
  }

  /** The TPM itself has just opened the keys. */
  async start(): Promise<void> {
    await this.#lookForEventLog();
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = this.#modules.clock.setTimer(tpmProbeMs, () => {
      this.#looking = this.#look();
    });
  }

  async #look(): Promise<void> {
    const { keys, health } = this.#modules;
    const state = await keys.probe();
    if (state === 'ready') health.clear('TPM_FAILED', subject);
    else health.raise('TPM_FAILED', subject, `The TPM is ${state}.`);
    await this.#lookForEventLog();
    this.#lookLater();
  }

  async #lookForEventLog(): Promise<void> {
    const { keys, health } = this.#modules;
    const fault = await eventLogFault(keys.attester);
    if (fault === undefined) health.clear('EVENT_LOG_UNUSABLE', subject);
    else health.raise('EVENT_LOG_UNUSABLE', subject, `${fault.message}.`);
  }
}
