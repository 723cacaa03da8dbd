/**
 * Replaces the keys with which this box signs transactions and connects: others are made, the ledger is told, and once
 * that is final the box works with them (current-key.ts). The old ones are erased when nothing needs them any more.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { encodeTransaction, keysMessage, possessionMessage, signingMessage } from '../ledger/index.ts';
import type { InstitutionRecord, InstitutionUpdate } from '../ledger/types.ts';
import type {
  Clock,
  DeviceKeys,
  HealthBoard,
  HeldKeys,
  InstitutionId,
  Ledger,
  Logger,
  Service,
  Signer,
  Timer,
} from '../ports.ts';
import { currentSigner, rotatedPurposes, type RotatedPurpose } from './current-key.ts';
import {
  earlierKeysMax,
  keysExpireSoonMs,
  keysValidMs,
  rotationRetryMs,
  rotationTickMs,
  rotationTriesMax,
  rotationValidMs,
} from './limits.ts';

export interface KeyRotationOptions {
  readonly self: InstitutionId;
  readonly ledger: Ledger;
  readonly keys: Pick<DeviceKeys, RotatedPurpose | 'identityPublicKey' | 'signWithIdentity'>;
  /** Age at which keys are replaced by themselves. */
  readonly everyMs: number;
  /** True once the others know this box by its current transport key. */
  readonly hasSettled: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export type Rotated =
  | { readonly kind: 'rotated'; readonly height: number }
  /** The ledger's reason, or that another rotation runs. Nothing changed. */
  | { readonly kind: 'refused'; readonly reason: string };

export class KeyRotation implements Service {
  readonly #options: KeyRotationOptions;
  readonly #signer: Signer;
  /** The last ones, oldest first. */
  #earlier: readonly Uint8Array[] = [];
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #running: Promise<unknown> | undefined;
  #pausedUntil = -Infinity;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
    const { keys, ledger, self } = options;
    this.#signer = currentSigner({ held: keys.transaction, purpose: 'transaction', self, ledger });
  }

  start(): Promise<void> {
    this.#tick();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new AppError('BUSY', 'the box is stopping'));
    this.#timer?.cancel();
    await Promise.allSettled([this.#running]);
  }

  /** Public transaction keys of this box that the ledger no longer names, since this start. */
  earlierKeys(): readonly Uint8Array[] {
    return [...this.#earlier, ...this.#options.keys.transaction.held()].filter(
      (key) => !equalBytes(key, this.#signer.publicKey),
    );
  }

  /** When the current ones were certified, UTC milliseconds; undefined if the ledger does not name this box. */
  since(): number | undefined {
    const own = this.#own();
    return own && own.keys.expiry - keysValidMs;
  }

  /** Now, whatever their age. @throws AppError of the TPM, STORE_FAILED, MEMPOOL_FULL, BUSY (the box stops). */
  async rotate(account: string): Promise<Rotated> {
    if (this.#running !== undefined) return { kind: 'refused', reason: 'Another rotation is under way.' };
    const work = this.#rotate();
    this.#occupy(work);
    const rotated = await work;
    this.#options.logger.info({ account, outcome: rotated.kind }, 'the keys of the box were rotated');
    return rotated;
  }

  #own(): InstitutionRecord | undefined {
    const { keys, ledger, self } = this.#options;
    const own = ledger.state().institution(self);
    return own && equalBytes(own.keys.identity, keys.identityPublicKey) ? own : undefined;
  }

  #tick(): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, logger } = this.#options;
    this.#timer = clock.setTimer(rotationTickMs, () => this.#tick());
    this.#warn();
    if (this.#running !== undefined) return;
    const work = this.#isDue() ? this.#rotate() : this.#eraseEarlier();
    this.#occupy(work);
    work.then(
      (rotated) => {
        if (rotated === undefined) return;
        logger.info({ outcome: rotated.kind }, 'the keys of the box were rotated on schedule');
        if (rotated.kind === 'refused') this.#pausedUntil = clock.now() + rotationRetryMs;
      },
      (error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        // The keys that the ledger names go on; what failed is tried again, and the expiry has an alarm of its own.
        logger.warn({ code: error.code }, 'the keys of the box could not be rotated');
        this.#pausedUntil = clock.now() + rotationRetryMs;
      },
    );
  }

  #occupy(work: Promise<unknown>): void {
    const done = (): void => (this.#running = undefined);
    this.#running = work.then(done, done);
  }

  #isDue(): boolean {
    const { clock, everyMs } = this.#options;
    const since = this.since();
    return since !== undefined && clock.now() >= since + everyMs && clock.now() >= this.#pausedUntil;
  }

  #warn(): void {
    const { clock, health, self } = this.#options;
    const expiry = this.#own()?.keys.expiry;
    if (expiry === undefined || clock.now() < expiry - keysExpireSoonMs) {
      health.clear('KEYS_EXPIRE', self);
      return;
    }
    const day = new Date(expiry).toISOString().slice(0, 10);
    const tense = clock.now() < expiry ? 'expire' : 'expired';
    health.raise('KEYS_EXPIRE', self, `The certified keys of this box ${tense} on ${day}.`);
  }

  async #rotate(): Promise<Rotated> {
    const { keys, ledger } = this.#options;
    const transaction = await this.#following(keys.transaction, 'transaction');
    const transport = await this.#following(keys.transport, 'transport');
    for (let tries = 1; ; tries++) {
      const own = this.#own();
      if (own === undefined) return { kind: 'refused', reason: 'The ledger does not name this box.' };
      const before = own.keys.transaction;
      const update = await this.#update(own, transaction, transport);
      const submitted = await ledger.submit(update, this.#stopping.signal);
      if (submitted.kind === 'final') {
        this.#remember([before]);
        return { kind: 'rotated', height: submitted.height };
      }
      const isOvertaken = submitted.reason === 'version-stale' || submitted.reason === 'version-gap';
      if (!isOvertaken || tries === rotationTriesMax) return { kind: 'refused', reason: submitted.reason };
    }
  }

  #remember(keys: readonly Uint8Array[]): void {
    this.#earlier = [...this.#earlier, ...keys].slice(-earlierKeysMax);
  }

  /** One that was made for a rotation of which nothing came, or another. */
  async #following<Key extends Signer>(held: HeldKeys<Key>, purpose: RotatedPurpose): Promise<Key> {
    const named = this.#own()?.keys[purpose];
    const at = held.held().findIndex((key) => named !== undefined && equalBytes(key, named));
    const key = held.signer(held.held()[at + 1] ?? (await held.make()));
    if (key === undefined) throw new Error(`a ${purpose} key that was made is not held`);
    return key;
  }

  /** The institution's record with other keys, each proving that it is its own, certified by the TPM's identity key. */
  async #update(own: InstitutionRecord, transaction: Signer, transport: Signer): Promise<Uint8Array> {
    const { clock, keys, ledger } = this.#options;
    const { chain } = ledger.state();
    const working = {
      ...own.keys,
      transaction: transaction.publicKey,
      transport: transport.publicKey,
      expiry: clock.now() + keysValidMs,
    };
    const proof = (key: Signer, purpose: RotatedPurpose): Uint8Array =>
      key.sign(possessionMessage(chain, own.id, purpose, working));
    const possession = {
      ...own.keys.possession,
      transaction: proof(transaction, 'transaction'),
      transport: proof(transport, 'transport'),
    };
    const certificate = await keys.signWithIdentity(keysMessage(own.id, working));
    const body: InstitutionUpdate = {
      type: 'institution.update',
      chain,
      validUntil: Math.max(clock.now(), ledger.head().time) + rotationValidMs,
      institution: own.id,
      version: own.version + 1,
      keys: { ...working, possession, certificate },
      account: own.account,
      endpoints: own.endpoints,
    };
    return encodeTransaction({ body, signatures: [this.#signer.sign(signingMessage(body))] });
  }

  /**
   * Those that were made before the named ones. One made after them stays: a transaction that names it may still wait in
   * the mempools of others, and a box that had erased it would be locked out.
   */
  async #eraseEarlier(): Promise<undefined> {
    const { hasSettled, keys } = this.#options;
    const own = this.#own();
    if (own === undefined || !hasSettled()) return;
    for (const purpose of rotatedPurposes) {
      const held = keys[purpose].held();
      const at = held.findIndex((key) => equalBytes(key, own.keys[purpose]));
      if (at <= 0) continue;
      if (purpose === 'transaction') this.#remember(held.slice(0, at));
      await keys[purpose].keepOnly(held.slice(at));
      this.#options.logger.info({ purpose, erased: at }, 'keys that were replaced are erased');
    }
  }
}
