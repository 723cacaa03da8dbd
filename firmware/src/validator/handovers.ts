/**
 * The handover of each epoch that ended: boxes exchange the signatures of their TPM identity keys when the block that
 * closed it is final, and keep the handover for light clients and for boxes that catch up. The next epoch waits for
 * nothing of this.
 */
import { quorum } from '../consensus/types.ts';
import type { Certificate } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import type { Handover, IdentitySignature } from '../handover/handover.ts';
import { decodeHandover, encodeHandover, handoverMessage } from '../handover/handover.ts';
import { verifyHandover } from '../handover/verify.ts';
import { epochRecord, stateKeys, type VerifyIdentity } from '../ledger/index.ts';
import type { EpochRecord } from '../ledger/types.ts';
import type {
  Clock,
  HealthBoard,
  InstitutionId,
  KeyValueStore,
  Logger,
  MemberKeys,
  Network,
  Unsubscribe,
  VerifySignature,
} from '../ports.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import { handoverRequestMs, handoverResendMs, handoversAtOnceMax, handoversOpenMax } from './limits.ts';
import { decodeHandoverRequest, encodeHandoverRequest } from './handover-request.ts';
import { HandoverWay } from './handover-way.ts';
import { handoverBytesMax } from '../handover/limits.ts';

export const handoverProtocol = '/hilum/handover/1';

/** What a box says of an epoch that ended: its own signature. */
export interface HandoverSignature extends IdentitySignature {
  readonly epoch: number;
}

export interface HandoversOptions {
  readonly self: InstitutionId;
  readonly chain: FinalChain;
  /** Keys that begin with `handover`. */
  readonly store: KeyValueStore;
  readonly keys: Pick<MemberKeys, 'signWithIdentity'>;
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  readonly verify: VerifySignature;
  readonly verifyIdentity: VerifyIdentity;
  readonly broadcast: (signature: HandoverSignature) => void;
  /** The disk failed. */
  readonly failed: (fault: AppError) => void;
}

/** A handover that lacks signatures. */
interface OpenHandover {
  readonly from: EpochRecord;
  /** Undefined if this box has not seen the epoch's end itself: it can but ask for the whole. */
  readonly draft: Handover | undefined;
  readonly message: Uint8Array | undefined;
  readonly signatures: Map<number, Uint8Array>;
}

export class Handovers {
  readonly #options: HandoversOptions;
  readonly #open = new Map<number, OpenHandover>();
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly way: HandoverWay;
  #sentAt = -Infinity;
  #isAsking = false;
  #lastInTurn = -1;

  constructor(options: HandoversOptions) {
    this.#options = options;
    this.way = new HandoverWay((epoch) => this.completed(epoch), options.health);
  }

  /** Takes up those of the last epochs that are not complete. */
  async load(): Promise<void> {
    const { chain } = this.#options;
    const current = chain.state.epoch().number;
    for (let epoch = Math.max(0, current - handoversOpenMax); epoch < current; epoch++) {
      const from = chain.state.epochOf(epoch);
      if (from === undefined) continue;
      if ((await this.completed(epoch)) === undefined) this.#begin(from, await this.#draft(epoch));
    }
  }

  /** Serves them to other boxes, and signs what is open. */
  start(): Unsubscribe {
    const stopServing = this.#options.network.handle(handoverProtocol, async (_from, body) => {
      return (await this.completed(decodeHandoverRequest(body))) ?? new Uint8Array();
    });
    for (const epoch of this.#inTurn()) this.#sign(epoch);
    return stopServing;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new AppError('PEER_UNREACHABLE', 'asking for handovers ends: the box stops'));
    await Promise.all(this.#running);
  }

  /** The handover at the end of this epoch, encoded; undefined while it lacks signatures. */
  completed(epoch: number): Promise<Uint8Array | undefined> {
    return this.#options.store.get(handoverKey(epoch));
  }

  /** Keeps a verified handover of an epoch whose end this box has not seen. @throws AppError STORE_FAILED. */
  adopt(epoch: number, handover: Handover): Promise<void> {
    return this.#options.store.write([{ put: handoverKey(epoch), value: encodeHandover(handover) }]);
  }

  /**
   * A block that closes an epoch is final, and about to stand in the block log. What can be had only now, the proof
   * under its state root, is on disk when this resolves: had it to be written after the block, a power cut between the
   * two would lose it, and with it the epoch's handover, if too few other boxes have theirs. @throws AppError
   * STORE_FAILED.
   */
  async epochCloses(executed: ExecutedBlock, certificate: Certificate): Promise<void> {
    const { epoch } = executed.block.header;
    const value = encodeHandover(draftOf(executed, certificate));
    await this.#options.store.write([{ put: draftKey(epoch), value }]);
  }

  /** The block stands in the block log: from now on this box says that the epoch has ended. */
  epochClosed(executed: ExecutedBlock, certificate: Certificate): void {
    const { header } = executed.block;
    const from = executed.state.epochOf(header.epoch);
    if (from === undefined) throw new Error(`epoch ${header.epoch} has no record`);
    this.#begin(from, draftOf(executed, certificate));
    for (const epoch of this.#open.keys())
      if (epoch <= header.epoch - handoversOpenMax && epoch !== this.way.next) this.#open.delete(epoch);
    this.#sign(header.epoch);
  }

  /** A signature that a box has sent. False: it is not what it claims to be. */
  received({ epoch, validator, signature }: HandoverSignature): boolean {
    const open = this.#open.get(epoch);
    // Complete, too old, or not closed here yet: then it is said again.
    if (open?.message === undefined || open.signatures.has(validator)) return true;
    const identity = open.from.validators[validator]?.identity;
    if (identity === undefined) return false;
    if (!this.#options.verifyIdentity(identity, open.message, signature)) return false;
    this.#add(epoch, open, { validator, signature });
    return true;
  }

  /** Now and then: what others may have missed is said again, and the whole is asked for. */
  tick(): void {
    const { chain, clock } = this.#options;
    const now = clock.now();
    if (now - this.#sentAt < handoverResendMs) return;
    this.#sentAt = now;
    this.#run(this.way.look(chain.state.epoch().number, now));
    const turn = this.#inTurn();
    for (const epoch of turn) this.#sign(epoch);
    if (!this.#isAsking) this.#run(this.#askPeers(turn));
  }

  /** Some of those that are open, each time the next ones: one that cannot be completed holds up no other. */
  #inTurn(): number[] {
    const epochs = [...this.#open.keys()].sort((a, b) => a - b);
    const next = epochs.findIndex((epoch) => epoch > this.#lastInTurn);
    const ordered = next < 0 ? epochs : [...epochs.slice(next), ...epochs.slice(0, next)];
    const turn = ordered.slice(0, handoversAtOnceMax);
    this.#lastInTurn = turn.at(-1) ?? -1;
    return turn;
  }

  #begin(from: EpochRecord, draft: Handover | undefined): void {
    const { chain } = this.#options;
    const message =
      draft?.proof.value &&
      handoverMessage(chain.state.chain, from.number, draft.certificate.digest, draft.proof.value);
    const signatures = new Map(draft?.signatures.map(({ validator, signature }) => [validator, signature]));
    this.#open.set(from.number, { from, draft, message: message ?? undefined, signatures });
  }

  /** Says the own signature, made first if that was not done yet. */
  #sign(epoch: number): void {
    const open = this.#open.get(epoch);
    if (open?.message === undefined) return;
    const validator = open.from.validators.findIndex(({ id }) => id === this.#options.self);
    if (validator < 0) return;
    const known = open.signatures.get(validator);
    if (known === undefined) this.#run(this.#makeSignature(epoch, validator, open.message));
    else this.#options.broadcast({ epoch, validator, signature: known });
  }

  async #makeSignature(epoch: number, validator: number, message: Uint8Array): Promise<void> {
    let signature: Uint8Array;
    try {
      signature = await this.#options.keys.signWithIdentity(message);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The TPM's health says it to the admin; it is tried again with the next tick.
      this.#options.logger.warn({ code: error.code, epoch }, 'the end of an epoch could not be signed');
      return;
    }
    const open = this.#open.get(epoch);
    if (this.#abort.signal.aborted || open === undefined || open.signatures.has(validator)) return;
    this.#options.broadcast({ epoch, validator, signature });
    this.#add(epoch, open, { validator, signature });
  }

  #add(epoch: number, open: OpenHandover, { validator, signature }: IdentitySignature): void {
    open.signatures.set(validator, signature);
    const signatures = [...open.signatures]
      .map(([index, made]) => ({ validator: index, signature: made }))
      .sort((a, b) => a.validator - b.validator);
    const handover = open.draft && { ...open.draft, signatures };
    if (handover !== undefined && isComplete(open.from, handover)) this.#run(this.#complete(epoch, handover));
  }

  async #complete(epoch: number, handover: Handover): Promise<void> {
    await this.#options.store.write([
      { put: handoverKey(epoch), value: encodeHandover(handover) },
      { delete: draftKey(epoch) },
    ]);
    this.#open.delete(epoch);
    this.#options.logger.info({ epoch, signatures: handover.signatures.length }, 'an epoch is handed over');
  }

  /**
   * The connected boxes in turn, for each of these that is still open; then for those that this box has let go of, one
   * after the other, as far as others have them.
   */
  async #askPeers(epochs: readonly number[]): Promise<void> {
    this.#isAsking = true;
    try {
      for (const epoch of epochs) await this.#askFor(epoch);
      for (;;) {
        const missing = await this.#takeUpMissing();
        if (missing === undefined) return;
        await this.#askFor(missing);
        if (this.#open.has(missing)) return;
      }
    } finally {
      this.#isAsking = false;
    }
  }

  /**
   * Takes up the first epoch past which this box cannot show the way, if it is none of the last: a box that caught up over
   * more epochs than it keeps open has let go of it, and would drop no block any more. Undefined if there is none.
   */
  async #takeUpMissing(): Promise<number | undefined> {
    const { state } = this.#options.chain;
    const current = state.epoch().number;
    if (await this.way.leadsTo(current - 1)) return undefined;
    const epoch = this.way.next;
    const from = this.#open.has(epoch) ? undefined : (state.epochOf(epoch) ?? (await this.#recordOf(epoch)));
    if (from === undefined) return undefined;
    this.#begin(from, await this.#draft(epoch));
    return epoch;
  }

  /** What the handover before it says of an epoch that the state has forgotten: it was verified when it was kept. */
  async #recordOf(epoch: number): Promise<EpochRecord | undefined> {
    const { chain } = this.#options;
    if (epoch === 0) return chain.firstEpoch;
    const bytes = await this.completed(epoch - 1);
    if (bytes === undefined) return undefined;
    const value = decodeKept(epoch - 1, bytes).proof.value;
    const record = value === null ? undefined : epochRecord.decode(value);
    if (record?.kind !== 'decoded') throw damaged(epoch - 1);
    return record.value;
  }

  async #askFor(epoch: number): Promise<void> {
    const { chain, network, logger, verify, verifyIdentity } = this.#options;
    for (const { institution, connected } of network.peers()) {
      const open = this.#open.get(epoch);
      if (open === undefined || this.#abort.signal.aborted) return;
      if (!connected) continue;
      const handover = await this.#ask(institution, epoch);
      if (handover === undefined) continue;
      const verified = verifyHandover(chain.state.chain, open.from, handover, { verify, verifyIdentity });
      if (verified.kind === 'verified') await this.#complete(epoch, handover);
      else
        logger.warn(
          { peer: institution, code: 'PEER_MISBEHAVED', reason: verified.reason },
          'a peer sent a wrong handover',
        );
    }
  }

  /** Undefined if there is no usable answer. */
  async #ask(peer: InstitutionId, epoch: number): Promise<Handover | undefined> {
    const { network, logger } = this.#options;
    try {
      const answer = await network.request(peer, handoverProtocol, encodeHandoverRequest(epoch), {
        timeoutMs: handoverRequestMs,
        signal: this.#abort.signal,
        answerBytesMax: handoverBytesMax,
      });
      return answer.length === 0 ? undefined : decodeHandover(answer);
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      if (!(error instanceof AppError) && !(error instanceof RangeError)) throw error;
      logger.debug({ peer, reason: error.message }, 'no handover from a peer');
      return undefined;
    }
  }

  async #draft(epoch: number): Promise<Handover | undefined> {
    const bytes = await this.#options.store.get(draftKey(epoch));
    return bytes && decodeKept(epoch, bytes);
  }

  #run(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error;
        this.#options.failed(error);
      })
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }
}

/** @throws AppError STORE_CORRUPT */
function decodeKept(epoch: number, bytes: Uint8Array): Handover {
  try {
    return decodeHandover(new Uint8Array(bytes));
  } catch (cause) {
    throw damaged(epoch, cause);
  }
}

function damaged(epoch: number, cause?: unknown): AppError {
  return new AppError('STORE_CORRUPT', `the handover of epoch ${epoch} does not decode`, { cause });
}

/** Not signed yet. */
function draftOf({ block: { header }, state }: ExecutedBlock, certificate: Certificate): Handover {
  return { header, certificate, proof: state.prove(stateKeys.epoch), signatures: [] };
}

/** Where the store has the whole handover at the end of this epoch. */
export function handoverKey(epoch: number): string {
  return `handover/${epoch}`;
}

function draftKey(epoch: number): string {
  return `handover-draft/${epoch}`;
}

function isComplete({ validators }: EpochRecord, { signatures }: Handover): boolean {
  return signatures.length >= quorum(validators.length);
}
