/**
 * How a box that was away, or is new, finds the members again when all of them have rotated their transport keys since:
 * it asks the HTTPS port of any, and follows the ledger's handovers like a wallet. What it learns so tells it with whom it
 * may connect, until its own ledger has come as far; nothing else is believed for it.
 */
import { AppError } from '../errors.ts';
import { institutionRecord, membersRecord, stateKeys } from '../ledger/index.ts';
import type { InstitutionRecord } from '../ledger/types.ts';
import type { Clock, InstitutionId, Ledger, Logger, Network, Service, Timer } from '../ports.ts';
import { BoxClient } from '../../wallet/box-client.ts';
import { LightClient } from '../../wallet/light-client.ts';
import { proofKeysMax } from '../../wallet/limits.ts';
import type { WalletTransport } from '../../wallet/wallet-ports.ts';
import { LedgerTransport } from './ledger-transport.ts';
import { introductionLonelyMs, introductionTickMs } from './limits.ts';
import type { Members } from './members.ts';
import { ProvenLedger } from './proven-ledger.ts';
import type { Undo } from './undo.ts';

/** The members as they stand after a block. */
export interface Introduced {
  readonly height: number;
  readonly members: readonly InstitutionRecord[];
}

export interface IntroductionsOptions {
  readonly self: InstitutionId;
  readonly ledger: Pick<Ledger, 'state'>;
  readonly network: Pick<Network, 'peers'>;
  readonly transport: WalletTransport;
  /** The members that this box knows of, by its ledger or introduced before. */
  readonly members: () => readonly InstitutionRecord[];
  readonly introduce: (introduced: Introduced) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Introductions implements Service {
  readonly #options: IntroductionsOptions;
  #timer: Timer | undefined;
  #lonelySince: number | undefined;
  #asking: Promise<void> | undefined;
  #next = 0;
  #isStopped = false;

  constructor(options: IntroductionsOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    this.#tick();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#asking;
  }

  #tick(): void {
    if (this.#isStopped) return;
    const { clock, network } = this.#options;
    this.#timer = clock.setTimer(introductionTickMs, () => this.#tick());
    const peers = network.peers();
    if (peers.length === 0 || peers.some(({ connected }) => connected)) {
      this.#lonelySince = undefined;
      return;
    }
    this.#lonelySince ??= clock.now();
    if (clock.now() - this.#lonelySince < introductionLonelyMs) return;
    this.#asking ??= this.#askNext().finally(() => (this.#asking = undefined));
  }

  /** One member after the other, one at a tick. */
  async #askNext(): Promise<void> {
    const { introduce, logger, members, self } = this.#options;
    const others = members().filter(({ id }) => id !== self);
    const member = others[this.#next++ % others.length];
    if (member === undefined) return;
    try {
      const introduced = await this.#ask(member);
      if (this.#isStopped) return;
      logger.info({ by: member.id, height: introduced.height }, 'this box was introduced to the members');
      introduce(introduced);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The line is cut, as a rule: the next member is asked at the next tick.
      logger.debug({ by: member.id, code: error.code }, 'a member could not introduce this box');
    }
  }

  /** @throws AppError PEER_UNREACHABLE, PEER_MISBEHAVED, LEDGER_UNPROVEN. */
  async #ask({ id, endpoints }: InstitutionRecord): Promise<Introduced> {
    const { ledger, transport } = this.#options;
    const state = ledger.state();
    const proven = new ProvenLedger({
      light: new LightClient(state.chain, state.epoch()),
      // Everything is proven: whose certificate it is decides nothing.
      client: new BoxClient(transport, { origin: endpoints.https, certificateSha256: '' }),
      member: id,
      clock: this.#options.clock,
    });
    await proven.follow();
    const list = await proven.read([stateKeys.institutions]);
    const listed = membersRecord.decode(list.values[0] ?? new Uint8Array());
    if (listed.kind === 'refused') throw proven.unproven('its list of members');
    const { ids } = listed.value;
    const members: InstitutionRecord[] = [];
    let { height } = list;
    for (let at = 0; at < ids.length; at += proofKeysMax) {
      const keys = ids.slice(at, at + proofKeysMax).map((member) => stateKeys.institution(member));
      const read = await proven.read(keys);
      height = Math.min(height, read.height);
      for (const value of read.values) {
        const record = institutionRecord.decode(value ?? new Uint8Array());
        // One that was removed between two answers.
        if (record.kind === 'refused') throw proven.unproven('a record of a member');
        members.push(record.value);
      }
    }
    return { height, members };
  }
}

export interface IntroductionModules extends Pick<
  IntroductionsOptions,
  'self' | 'ledger' | 'network' | 'clock' | 'logger'
> {
  readonly members: Members;
}

/** Of this box, over its members' HTTPS ports. */
export function openIntroductions(modules: IntroductionModules, undo: Undo): Introductions {
  const { members, logger } = modules;
  const transport = new LedgerTransport();
  undo.later(() => transport.close());
  return new Introductions({
    ...modules,
    transport,
    members: () => members.members(),
    introduce: (introduced) => members.introduce(introduced),
    logger: logger.child({ room: 'p2p' }),
  });
}
