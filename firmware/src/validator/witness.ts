/** Validators that contradict themselves: kept for the console, and reported to the ledger once. */
import type { Evidence, Vote } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import { encodeTransaction, signingMessage } from '../ledger/index.ts';
import type { EvidenceReport } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger, MemberKeys, Submitted } from '../ports.ts';
import type { FinalChain } from './final-chain.ts';
import { evidenceKeptMax, evidencePauseMs, evidenceValidMs } from './limits.ts';

export interface WitnessOptions {
  readonly self: InstitutionId;
  readonly chain: FinalChain;
  readonly keys: Pick<MemberKeys, 'transaction'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Brings it to the ledger. */
  readonly submit: (transaction: Uint8Array) => Promise<Submitted>;
}

export class Witness {
  readonly #options: WitnessOptions;
  readonly #evidence: Evidence[] = [];
  /** What the ledger does not know yet, oldest first; one a validator and epoch. */
  readonly #unreported = new Map<string, Evidence>();
  #running: Promise<void> | undefined;
  #pausedUntil = -Infinity;
  #isStopped = false;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /** Since the start of the box. */
  get evidence(): readonly Evidence[] {
    return this.#evidence;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** The core has seen two votes that no honest validator casts both. */
  saw(evidence: Evidence): void {
    const { kind, epoch, view } = evidence;
    const institution = this.#nameOf(evidence);
    this.#options.logger.warn({ institution, epoch, view, kind }, 'a validator contradicts itself');
    if (this.#evidence.length >= evidenceKeptMax) return;
    this.#evidence.push(evidence);
    const key = `${epoch} ${institution}`;
    if (institution !== undefined && !this.#unreported.has(key)) this.#unreported.set(key, evidence);
    this.tick();
  }

  /** Once a second: reports what waits, one after the other. */
  tick(): void {
    if (this.#running !== undefined || this.#isStopped || this.#options.clock.now() < this.#pausedUntil)
      return;
    for (const [key, evidence] of this.#unreported) {
      const institution = this.#nameOf(evidence);
      const { state } = this.#options.chain;
      // Another box was quicker, or the epoch's keys are forgotten.
      const isOver =
        institution === undefined ||
        state.guilt(evidence.epoch, institution) !== undefined ||
        state.institution(this.#options.self) === undefined;
      if (isOver) this.#unreported.delete(key);
      else {
        this.#running = this.#report(key, evidence).finally(() => (this.#running = undefined));
        return;
      }
    }
  }

  #nameOf({ epoch, validator }: Evidence): InstitutionId | undefined {
    return this.#options.chain.state.epochOf(epoch)?.validators[validator]?.id;
  }

  async #report(key: string, { epoch, view, validator, first, second }: Evidence): Promise<void> {
    const { chain, clock, keys, logger, self, submit } = this.#options;
    const body: EvidenceReport = {
      type: 'evidence.report',
      chain: chain.state.chain,
      validUntil: Math.max(clock.now(), chain.head.time) + evidenceValidMs,
      reporter: self,
      epoch,
      view,
      validator,
      first: reported(first),
      second: reported(second),
    };
    try {
      const signatures = [keys.transaction.sign(signingMessage(body))];
      const submitted = await submit(encodeTransaction({ body, signatures }));
      logger.info({ epoch, view, outcome: submitted.kind }, 'a contradiction was reported');
      if (submitted.kind === 'final') this.#unreported.delete(key);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The mempool is full, or the box stops: it is reported again.
      logger.warn({ code: error.code, epoch, view }, 'a contradiction could not be reported');
    }
    this.#pausedUntil = clock.now() + evidencePauseMs;
  }
}

function reported({ kind, digest, signature }: Vote): EvidenceReport['first'] {
  return { kind, digest, signature };
}
