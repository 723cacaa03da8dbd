/**
 * What this institution has to say in its consortium: makes proposals, votes on those of others, and brings what offline
 * keys have signed to the ledger. Each act is by a named account, which the box remembers beside the proposal.
 */
import { AppError } from '../errors.ts';
import {
  decodeTransaction,
  encodeTransaction,
  idBytes,
  proposalId,
  signingMessage,
} from '../ledger/index.ts';
import type {
  InstitutionPropose,
  InstitutionVote,
  ProposalAction,
  ProposalId,
  ProposalRecord,
  TransactionBody,
} from '../ledger/types.ts';
import type {
  Clock,
  HealthBoard,
  InstitutionId,
  KeyValueStore,
  Ledger,
  Logger,
  Service,
  Signer,
  Submitted,
  Unsubscribe,
} from '../ports.ts';
import { ProposalActs, type Act } from './acts.ts';
import { governanceSubmitMsMax, governanceValidMs } from './limits.ts';
import { inWords } from './refusal-words.ts';

export interface GovernanceOptions {
  readonly self: InstitutionId;
  readonly ledger: Ledger;
  /** The institution's transaction key. */
  readonly signer: Signer;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export interface KnownProposal {
  readonly id: ProposalId;
  readonly proposal: ProposalRecord;
  readonly state: 'open' | 'passed' | 'failed' | 'expired';
  /** By the people of this box. */
  readonly acts: readonly Act[];
}

export type Acted =
  | { readonly kind: 'done' }
  /** In words for the person; nothing changed. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No block yet: it counts if one takes it within `governanceValidMs`. */
  | { readonly kind: 'waiting' };

/** Documents that offline keys sign: the ledger judges their signatures, whoever brings them. */
const documentTypes: ReadonlySet<TransactionBody['type']> = new Set(['institution.replace']);

/** Of alarms of this room. */
const subject = 'proposals of the consortium';

export class Governance implements Service {
  readonly #options: GovernanceOptions;
  readonly #acts: ProposalActs;
  readonly #listeners = new Set<() => void>();
  #unsubscribe: Unsubscribe | undefined;
  #noting: Promise<void> = Promise.resolve();
  /** Made since the disk last took what it was given: one that was decided in its own block is in no list of open ones. */
  readonly #unnoted = new Set<ProposalId>();

  constructor(options: GovernanceOptions) {
    this.#options = options;
    this.#acts = new ProposalActs(options.store);
  }

  async start(): Promise<void> {
    await this.#acts.load();
    await this.#look([]);
    this.#unsubscribe = this.#options.ledger.onFinal(({ transactions }) => {
      const bodies = transactions.map(({ body }) => body);
      if (!bodies.some(({ type }) => type.startsWith('institution.'))) return;
      // A proposal may be made and decided in one block.
      const made = bodies.filter((body) => body.type === 'institution.propose').map(proposalId);
      for (const id of made) this.#unnoted.add(id);
      this.#noting = this.#noting.then(() => this.#note());
      for (const listener of this.#listeners) listener();
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#noting;
  }

  /** After each block that may have changed members, proposals or votes. */
  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Open ones and the last decided ones, newest first. */
  proposals(): readonly KnownProposal[] {
    const state = this.#options.ledger.state();
    const ids = new Set([...this.#acts.seen(), ...state.proposals().map(({ id }) => id)]);
    const known: KnownProposal[] = [];
    for (const id of ids) {
      const proposal = state.proposal(id);
      // Seen on a ledger that this box has lost since, and is catching up with.
      if (proposal === undefined) continue;
      known.push({ id, proposal, state: this.#stateOf(proposal), acts: this.#acts.of(id) });
    }
    return known.sort((a, b) => b.proposal.proposedAt - a.proposal.proposedAt);
  }

  /** How many open proposals wait for this institution's vote. */
  waiting(): number {
    const { ledger, self } = this.#options;
    const state = ledger.state();
    if (state.institution(self) === undefined) return 0;
    return state.proposals().filter(({ id, proposal }) => {
      if (this.#stateOf(proposal) !== 'open') return false;
      const { approvedBy, rejectedBy } = state.voters(id);
      return !approvedBy.includes(self) && !rejectedBy.includes(self);
    }).length;
  }

  /** The proposal counts as this institution's approval. @throws AppError MEMPOOL_FULL, STORE_FAILED. */
  async propose(action: ProposalAction, account: string): Promise<Acted> {
    const body: InstitutionPropose = {
      type: 'institution.propose',
      ...this.#base(),
      proposer: this.#options.self,
      action,
    };
    return this.#act(body, proposalId(body), { kind: 'proposed', account });
  }

  /** @throws AppError MEMPOOL_FULL, STORE_FAILED. */
  async vote(id: ProposalId, approve: boolean, account: string): Promise<Acted> {
    const body: InstitutionVote = {
      type: 'institution.vote',
      ...this.#base(),
      institution: this.#options.self,
      proposalId: idBytes(id),
      approve,
    };
    return this.#act(body, id, { kind: approve ? 'approved' : 'rejected', account });
  }

  /** What the offline root of any member has signed: its box need not be alive. @throws AppError MEMPOOL_FULL. */
  async bring(document: Uint8Array, account: string): Promise<Acted> {
    const decoded = decodeTransaction(document);
    if (decoded.kind === 'refused') return { kind: 'refused', reason: inWords(decoded.reason) };
    const { type } = decoded.transaction.body;
    if (!documentTypes.has(type)) return { kind: 'refused', reason: inWords('wrong-shape') };
    return this.#submit(document, { account, type });
  }

  async #act(
    body: InstitutionPropose | InstitutionVote,
    id: ProposalId,
    { kind, account }: Pick<Act, 'kind' | 'account'>,
  ): Promise<Acted> {
    const signatures = [this.#options.signer.sign(signingMessage(body))];
    const acted = await this.#submit(encodeTransaction({ body, signatures }), { account, type: body.type });
    if (acted.kind === 'refused') return acted;
    await this.#acts.note(id, { kind, account, at: this.#options.clock.now() });
    for (const listener of this.#listeners) listener();
    return acted;
  }

  async #submit(
    transaction: Uint8Array,
    fields: { readonly account: string; readonly type: string },
  ): Promise<Acted> {
    const { clock, ledger, logger } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimer(governanceSubmitMsMax, () =>
      late.abort(new AppError('LEDGER_STALE', 'no block took it in time')),
    );
    try {
      const submitted = await ledger.submit(transaction, late.signal);
      logger.info({ ...fields, outcome: submitted.kind }, 'an act of governance was brought to the ledger');
      return actedBy(submitted);
    } catch (error) {
      if (!late.signal.aborted) throw error;
      logger.warn(fields, 'an act of governance waits for its block');
      return { kind: 'waiting' };
    } finally {
      timer.cancel();
    }
  }

  #base(): Pick<InstitutionPropose, 'chain' | 'validUntil'> {
    const { clock, ledger } = this.#options;
    const now = Math.max(clock.now(), ledger.head().time);
    const state = ledger.state();
    // The ledger takes no proposal that is valid for longer than it can be voted on.
    const validMs = Math.min(governanceValidMs, state.parameters().proposalMs);
    return { chain: state.chain, validUntil: now + validMs };
  }

  #stateOf({ outcome, expiry }: ProposalRecord): KnownProposal['state'] {
    if (outcome !== null) return outcome.passed ? 'passed' : 'failed';
    return this.#options.ledger.head().time < expiry ? 'open' : 'expired';
  }

  /**
   * That the list lacks a proposal for a while is nothing that anybody was promised: a disk that fails is an alarm, and with
   * the next act of the consortium it is tried again.
   */
  async #note(): Promise<void> {
    const { health, logger } = this.#options;
    const made = [...this.#unnoted];
    try {
      await this.#look(made);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'STORE_FAILED')) throw error;
      logger.error({ code: error.code }, 'a proposal could not be remembered');
      health.raise('STORE_FAILED', subject, error.message);
      return;
    }
    for (const id of made) this.#unnoted.delete(id);
    health.clear('STORE_FAILED', subject);
  }

  /** Also those that came with a snapshot, of which this box saw no block. */
  async #look(made: readonly ProposalId[]): Promise<void> {
    const { clock, ledger } = this.#options;
    const open = ledger
      .state()
      .proposals()
      .map(({ id }) => id);
    await this.#acts.saw([...made, ...open], (id) => open.includes(id), clock.now());
  }
}

function actedBy(submitted: Submitted): Acted {
  return submitted.kind === 'final'
    ? { kind: 'done' }
    : { kind: 'refused', reason: inWords(submitted.reason) };
}
