/**
 * The voting keys of this box, epoch by epoch: the next one is named on the ledger some time before the epoch ends, and
 * past ones are erased. A box that may have forgotten votes names one that nobody can have seen before, which tells it
 * from when on it may vote again (docs/adr/0031-a-forgetful-box-names-a-new-key-first.md).
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import {
  encodeTransaction,
  keysMessage,
  possessionMessage,
  signingMessage,
  transactionId,
} from '../ledger/index.ts';
import type { InstitutionRecord, InstitutionUpdate, TransactionId } from '../ledger/types.ts';
import type { Clock, InstitutionId, Logger, MemberKeys, Submitted } from '../ports.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import { keyChangePauseMs, keyChangeValidMs, unnamedKeysMax } from './limits.ts';
import type { Place } from './place.ts';

export interface OwnKeysOptions {
  readonly self: InstitutionId;
  readonly chain: FinalChain;
  readonly keys: MemberKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Brings it to the ledger. */
  readonly submit: (transaction: Uint8Array) => Promise<Submitted>;
  /** The disk failed. */
  readonly failed: (fault: AppError) => void;
}

export class OwnKeys {
  readonly #options: OwnKeysOptions;
  /** The transaction with which a box that may have forgotten votes names a fresh key; made by this process. */
  #fresh: TransactionId | undefined;
  #running: Promise<void> | undefined;
  #pausedUntil = -Infinity;
  #isStopped = false;
  /** The key that the ledger refused as another's: it would refuse it again. */
  #taken: Uint8Array | undefined;

  constructor(options: OwnKeysOptions) {
    this.#options = options;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Once a second. `isForgetful`: the vote log lacks votes. */
  tick(isForgetful: boolean): void {
    if (this.#running !== undefined || this.#isStopped || this.#options.clock.now() < this.#pausedUntil)
      return;
    const own = this.#options.chain.state.institution(this.#options.self);
    if (own === undefined) return;
    if (isForgetful && this.#fresh === undefined) this.#run(this.#name(own, 'fresh'));
    else if (this.#isDue(own)) this.#run(this.#name(own, 'next'));
  }

  /**
   * A block is final. Where it holds the fresh key: the place up to which this box may have voted, which is one view
   * after the block's.
   */
  becameFinal({ block: { header }, ids }: ExecutedBlock): Place | undefined {
    if (this.#fresh === undefined || !ids.includes(this.#fresh)) return undefined;
    this.#fresh = undefined;
    return { epoch: header.epoch, view: header.view + 1 };
  }

  /**
   * Erases the keys of past epochs, once the box stands in another one on its disks. One that was made and is not named
   * yet may be named by a transaction that waits. @throws AppError STORE_FAILED.
   */
  async erasePast(): Promise<void> {
    const { chain, self, keys } = this.#options;
    const { number } = chain.state.epoch();
    const past: Uint8Array[] = [];
    for (let epoch = number - 1; ; epoch--) {
      const record = epoch < 0 ? undefined : chain.state.epochOf(epoch);
      if (record === undefined) break;
      past.push(...record.validators.filter(({ id }) => id === self).map(({ voting }) => voting));
    }
    const named = this.#named();
    const isNamed = (key: Uint8Array): boolean => named.some((other) => equalBytes(other, key));
    const isPast = (key: Uint8Array): boolean => past.some((other) => equalBytes(other, key));
    const held = keys.voting.held();
    const unnamed = held.filter((key) => !isNamed(key) && !isPast(key)).slice(-unnamedKeysMax);
    await keys.voting.keepOnly([...held.filter(isNamed), ...unnamed]);
  }

  /** The keys by which this box votes now, and will vote in the next epoch. */
  #named(): Uint8Array[] {
    const { chain, self } = this.#options;
    const now = chain.state.epoch().validators.find(({ id }) => id === self)?.voting;
    const next = chain.state.institution(self)?.keys.voting;
    return [now, next].filter((key) => key !== undefined);
  }

  /** From the middle of the epoch on, unless it was done; at once if the box has lost the key that is to count next. */
  #isDue({ id, keys }: InstitutionRecord): boolean {
    const { chain } = this.#options;
    if (this.#options.keys.voting.signer(keys.voting) === undefined) return true;
    const { validators, startTime } = chain.state.epoch();
    const now = validators.find((validator) => validator.id === id)?.voting;
    if (now === undefined || !equalBytes(now, keys.voting)) return false;
    return chain.head.time - startTime >= chain.state.parameters().epochMs / 2;
  }

  async #name(own: InstitutionRecord, which: 'next' | 'fresh'): Promise<void> {
    const { clock, keys, logger, submit } = this.#options;
    try {
      await this.erasePast();
      const voting = (which === 'next' ? this.#unnamedKey() : undefined) ?? (await keys.voting.make());
      const transaction = await this.#update(own, voting);
      if (this.#isStopped) return;
      if (which === 'fresh') this.#fresh = transactionId(transaction);
      const submitted = await submit(transaction);
      logger.info({ which, outcome: submitted.kind }, 'a voting key was named');
      if (submitted.kind === 'final') return;
      if (submitted.reason === 'key-in-use') this.#taken = voting;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'STORE_FAILED') throw error;
      // The TPM does not answer, the mempool is full, the box stops: what follows tries it again.
      logger.warn({ code: error.code, which }, 'a voting key could not be named');
    }
    if (which === 'fresh') this.#fresh = undefined;
    this.#pausedUntil = clock.now() + keyChangePauseMs;
  }

  /** The newest that nothing names yet, unless the ledger has refused it. */
  #unnamedKey(): Uint8Array | undefined {
    const named = this.#named();
    const newest = this.#options.keys.voting
      .held()
      .findLast((key) => !named.some((other) => equalBytes(other, key)));
    const isTaken = newest !== undefined && this.#taken !== undefined && equalBytes(newest, this.#taken);
    return isTaken ? undefined : newest;
  }

  /** The institution's record with another voting key, certified by the TPM's identity key. */
  async #update(own: InstitutionRecord, voting: Uint8Array): Promise<Uint8Array> {
    const { chain, clock, keys } = this.#options;
    const working = { ...own.keys, voting };
    const signer = keys.voting.signer(voting);
    if (signer === undefined) throw new Error('the voting key that is to be named is not held');
    const proof = signer.sign(possessionMessage(chain.state.chain, own.id, 'voting', working));
    const certificate = await keys.signWithIdentity(keysMessage(own.id, working));
    const body: InstitutionUpdate = {
      type: 'institution.update',
      chain: chain.state.chain,
      validUntil: Math.max(clock.now(), chain.head.time) + keyChangeValidMs,
      institution: own.id,
      version: own.version + 1,
      keys: { ...working, certificate, possession: { ...own.keys.possession, voting: proof } },
      account: own.account,
      endpoints: own.endpoints,
    };
    return encodeTransaction({ body, signatures: [keys.transaction.sign(signingMessage(body))] });
  }

  #run(work: Promise<void>): void {
    this.#running = work
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        this.#options.failed(error);
      })
      .finally(() => (this.#running = undefined));
  }
}
