/** The ledger as one member's box proves it, whom nobody has to believe: followed from an epoch whose validators are known. */
import { AppError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import type { BoxClient } from '../../wallet/box-client.ts';
import type { LightClient } from '../../wallet/light-client.ts';
import { handoversFollowedMax, trustMsMax } from '../../wallet/limits.ts';

export interface ProvenLedgerOptions {
  readonly light: LightClient;
  readonly client: BoxClient;
  /** The member's id or origin, for messages. */
  readonly member: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** What stood on the ledger after the block of this height and time (UTC milliseconds), in the order of the keys. */
export interface ProvenValues {
  readonly height: number;
  readonly time: number;
  /** null: proved to be absent. */
  readonly values: readonly (Uint8Array | null)[];
}

export class ProvenLedger {
  readonly #options: ProvenLedgerOptions;

  constructor(options: ProvenLedgerOptions) {
    this.#options = options;
  }

  /**
   * To the newest epoch that the member shows. A wallet stops trusting after 90 days; whoever has the ledger or its genesis
   * document at hand is not led further by what it learns here than it would go by itself. So each step is judged at a time
   * within the trust of its epoch. @throws AppError PEER_UNREACHABLE, PEER_MISBEHAVED, LEDGER_UNPROVEN.
   */
  async follow(): Promise<void> {
    const { light, client, clock } = this.#options;
    for (let steps = 0; steps < handoversFollowedMax; steps++) {
      const handover = await client.handover(light.epoch.number);
      if (handover === undefined) return;
      const now = Math.min(clock.now(), light.epoch.startTime + trustMsMax);
      const followed = await light.follow(handover, now);
      if (followed.kind === 'refused') throw this.unproven(`a handover (${followed.reason})`);
    }
  }

  /** @param keys at most `proofKeysMax`. @throws AppError PEER_UNREACHABLE, PEER_MISBEHAVED, LEDGER_UNPROVEN. */
  async read(keys: readonly string[]): Promise<ProvenValues> {
    const { light, client, clock } = this.#options;
    const { evidence, proofs } = await client.proofs(keys);
    const proven = await light.verifyValues(evidence, keys, proofs, clock.now());
    if (proven.kind === 'refused') throw this.unproven(proven.reason);
    const { header, values } = proven;
    return { height: header.height, time: header.time, values };
  }

  unproven(what: string): AppError {
    return new AppError('LEDGER_UNPROVEN', `${this.#options.member} could not prove ${what}.`);
  }
}
