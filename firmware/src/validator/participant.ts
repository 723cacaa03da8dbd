/** The running parts of a validator and how they act on each other. */
import { standingOf } from '../consensus/help.ts';
import { recover } from '../consensus/recovery.ts';
import { voteMessage } from '../consensus/signatures.ts';
import type { CoreOptions, FinalPoint, Stepped } from '../consensus/state.ts';
import type { Evidence } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { blockDigest, executeBlock, transactionId, transactionsRoot } from '../ledger/index.ts';
import type { FinalBlock, InstitutionId, Submitted, Timer, Unsubscribe } from '../ports.ts';
import { encodedBody, serveBlocks } from './block-server.ts';
import { BlockTree } from './block-tree.ts';
import type { CertifiedBlocks } from './catch-up.ts';
import { CatchUp } from './catch-up.ts';
import { Checks } from './checks.ts';
import type { OutwardEffect } from './engine.ts';
import { Engine } from './engine.ts';
import type { ExecutedBlock, NewlyFinal } from './final-chain.ts';
import { certifies, executedBlock, FinalChain, votingKeys } from './final-chain.ts';
import {
  blocksAskedMax,
  evidenceKeptMax,
  headAgeMsMax,
  retransmitMs,
  submissionResendMs,
  voteLogBytesMax,
} from './limits.ts';
import { Mempool } from './mempool.ts';
import type { Message } from './messages.ts';
import { encodeMessage } from './messages.ts';
import { Receiver } from './receiver.ts';
import { rememberVerified } from './signature-cache.ts';
import { Submissions } from './submissions.ts';
import type { ValidatorOptions } from './validator.ts';
import { ViewWork } from './view-work.ts';
import type { VoteLogContent } from './vote-log.ts';
import { readVoteLog } from './vote-log.ts';

/** There is one epoch until validators can change. */
const epoch = 0;

export interface ParticipantOptions extends ValidatorOptions {
  readonly onFinal: (final: FinalBlock) => void;
}

export class Participant {
  readonly #options: ParticipantOptions;
  readonly chain: FinalChain;
  readonly #tree: BlockTree;
  readonly #mempool: Mempool;
  readonly #submissions = new Submissions();
  readonly #engine: Engine;
  readonly #work: ViewWork;
  readonly #catchUp: CatchUp;
  readonly #receiver: Receiver;
  readonly #checks: Checks;
  readonly #evidence: Evidence[] = [];
  readonly #subscriptions: Unsubscribe[] = [];
  #connected: ReadonlySet<InstitutionId> = new Set();
  #wakeTimer: Timer | undefined;
  #tickTimer: Timer | undefined;
  #fault: AppError | undefined;

  /**
   * Reads the disks. @throws AppError STORE_CORRUPT if they cannot be trusted, GENESIS_INVALID if the genesis lists
   * another voting key for this box.
   */
  static async open(options: ParticipantOptions): Promise<Participant> {
    const verify = rememberVerified(options.verify);
    const chain = await FinalChain.open({ ...options, stateStore: options.state, verify });
    const own = chain.state.institution(options.self);
    if (own === undefined || !equalBytes(own.keys.voting, options.voting.publicKey)) {
      throw new AppError(
        'GENESIS_INVALID',
        `the genesis does not list ${options.self} with the voting key of this box`,
      );
    }
    const content = await readOrAbstain(options, chain.tip.block.header.view);
    return new Participant({ ...options, verify }, chain, content);
  }

  private constructor(options: ParticipantOptions, chain: FinalChain, content: VoteLogContent | undefined) {
    const { self, network, clock, logger, health, verify } = options;
    this.#options = options;
    this.chain = chain;
    const validators = chain.state.validators();
    const tree = new BlockTree(chain, verify, logger);
    for (const block of content?.blocks ?? []) tree.add(block);
    this.#tree = tree;
    this.#mempool = new Mempool({ self, verify });
    this.#checks = new Checks({
      chain: chain.state.chain,
      votingKeys: votingKeys(chain.state),
      verify: options.verify,
    });
    this.#catchUp = new CatchUp({
      network,
      clock,
      logger,
      headHeight: () => chain.head.height,
      apply: (blocks) => this.#engine.exclusively(() => this.#applyFinal(blocks)),
      isMissingFinal: () => this.#engine.core.final.view > chain.tip.block.header.view,
      gotBlock: (block) => {
        const isWhole = tree.add(block);
        if (isWhole) this.#wake();
        return isWhole;
      },
    });
    this.#work = new ViewWork({
      self,
      validators,
      chain,
      tree,
      mempool: this.#mempool,
      network,
      clock,
      verify,
      missing: (digest) => this.#askFor(digest),
      refused: (refusals) => this.#submissions.refused(refusals),
    });
    const core = this.#coreOptions(content === undefined ? undefined : validators.indexOf(self));
    this.#engine = new Engine(
      {
        voteLog: content === undefined ? undefined : options.voteLog,
        voteLogBytes: content?.bytes ?? 0,
        voteLogBytesMax: options.voteLogBytesMax ?? voteLogBytesMax,
        logger,
        health,
        blockBytes: (digest) => encodedBody(tree, digest),
        execute: (effect) => this.#execute(effect),
        afterBatch: () => this.#afterBatch(),
        observe: () => this.#observe(),
        headView: () => chain.tip.block.header.view,
        failed: (fault) => this.#fail(fault),
      },
      content === undefined ? this.#observe() : recover(core, { ...content, final: this.#finalPoint() }),
    );
    this.#receiver = new Receiver({
      validators,
      checks: this.#checks,
      tree,
      catchUp: this.#catchUp,
      clock,
      logger,
      core: () => this.#engine.core,
      headHeight: () => chain.head.height,
      input: (...inputs) => this.#engine.input(...inputs),
      gotTransaction: (from, transaction) => this.#gotTransaction(from, transaction),
      send: (to, message) => network.send(to, encodeMessage(message)),
    });
  }

  start(): void {
    const { network } = this.#options;
    this.#subscriptions.push(
      serveBlocks(network, this.chain, this.#tree),
      network.onMessage((from, bytes) => {
        this.#receiver.receive(from, bytes);
        return this.#engine.room();
      }),
      network.onPeerChange(() => this.#greetNewPeers()),
    );
    this.#engine.start();
    this.#greetNewPeers();
    this.#tick();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#tickTimer?.cancel();
    await this.#engine.stop();
    this.#wakeTimer?.cancel();
    await this.#catchUp.stop();
    this.#submissions.fail(new AppError('LEDGER_STALE', 'the box stops before the transaction is final'));
  }

  submit(bytes: Uint8Array): Promise<Submitted> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    const known = this.#submissions.known(transactionId(bytes));
    if (known !== undefined) return known;
    const { self, clock } = this.#options;
    const admission = this.#mempool.add(self, bytes, this.chain, clock.now());
    if (admission.kind === 'refused') return Promise.resolve(admission);
    if (admission.kind === 'full') {
      return Promise.reject(new AppError('MEMPOOL_FULL', 'no room for another transaction of this box'));
    }
    const submitted = this.#submissions.add(admission.id, bytes, clock.now());
    this.#broadcast({ type: 'transaction', transaction: bytes });
    this.#wake();
    return submitted;
  }

  get evidence(): readonly Evidence[] {
    return this.#evidence;
  }

  get standing(): {
    readonly view: number;
    readonly finalView: number;
    readonly isVoting: boolean;
    readonly waiting: number;
  } {
    const { core, isVoting } = this.#engine;
    return { view: core.view, finalView: core.final.view, isVoting, waiting: this.#mempool.size };
  }

  #coreOptions(self: number | undefined): CoreOptions {
    const { voting } = this.#options;
    const { chain } = this.chain.state;
    return {
      epoch,
      validators: this.chain.state.validators().length,
      // An institution that is no validator has the index −1.
      self: self === -1 ? undefined : self,
      sign: (content) => voting.sign(voteMessage(chain, content)),
    };
  }

  #observe(): Stepped {
    return recover(this.#coreOptions(undefined), { final: this.#finalPoint(), floor: 0, records: [] });
  }

  #finalPoint(): FinalPoint {
    const { block, digest } = this.chain.tip;
    const { certificate } = this.chain.evidence;
    const isOwn = equalBytes(certificate.digest, digest) && certificate.signatures.length > 0;
    return { view: block.header.view, digest, certificate: isOwn ? certificate : undefined };
  }

  #execute(effect: OutwardEffect): void {
    switch (effect.kind) {
      case 'broadcastVote':
        this.#broadcast({ type: 'vote', vote: effect.vote });
        break;
      case 'broadcastProposal': {
        const { header, vote } = effect.proposal;
        const block = encodedBody(this.#tree, header.digest);
        this.#broadcast({ type: 'proposal', block, vote, justification: effect.justification });
        break;
      }
      case 'broadcastCertificate':
        this.#broadcast({ type: 'certificate', certificate: effect.certificate });
        break;
      case 'askToPropose':
        this.#work.propose(effect);
        break;
      case 'askToValidate':
        this.#work.judge(effect.header);
        break;
      case 'startView':
        this.#work.startView();
        break;
      case 'notarized': {
        const { digest, view } = effect.certificate;
        const isOpen = view > this.chain.tip.block.header.view;
        if (isOpen && !this.#tree.has(digest)) this.#askFor(digest);
        break;
      }
      case 'finalized':
        // Written in #afterBatch, from the core's newest final point: one write for several.
        break;
      case 'evidence':
        this.#keepEvidence(effect.evidence);
        break;
    }
  }

  async #afterBatch(): Promise<void> {
    await this.#writeFinal();
    const { inputs, wakeAt } = this.#work.look(this.#engine.core);
    this.#engine.input(...inputs);
    this.#wakeTimer?.cancel();
    this.#wakeTimer = undefined;
    if (wakeAt === Infinity) return;
    const { clock } = this.#options;
    this.#wakeTimer = clock.setTimer(Math.max(0, wakeAt - clock.now()), () => this.#wake());
  }

  /** Writes what has become final, if all its blocks are here; otherwise has them fetched. */
  async #writeFinal(): Promise<void> {
    const { view, digest, certificate } = this.#engine.core.final;
    if (certificate === undefined || view <= this.chain.tip.block.header.view) return;
    const path = this.#tree.pathTo(digest);
    if (path === undefined) {
      const found = this.#tree.lookup(digest);
      if (found.kind !== 'missing') {
        throw new AppError(
          'STORE_CORRUPT',
          `the final block of view ${view} does not follow from the ledger of this box`,
        );
      }
      this.#askFor(found.digest);
      return;
    }
    await this.#add(
      path.map((executed, index) => ({
        executed,
        certificate: index === path.length - 1 ? certificate : null,
      })),
    );
  }

  /** One block by its digest; a box that is far behind catches up by height first. */
  #askFor(digest: Uint8Array): void {
    const behind = this.#engine.core.final.view - this.chain.tip.block.header.view;
    if (behind > blocksAskedMax) this.#catchUp.look();
    else this.#catchUp.ask(digest);
  }

  /** Blocks of a peer, from just above the head or below it, that end with a certified one. */
  async #applyFinal(blocks: CertifiedBlocks): Promise<'applied' | 'wrong'> {
    const { verify } = this.#options;
    const fresh = blocks.filter(({ block }) => block.header.height > this.chain.head.height);
    let parent = this.chain.head.digest;
    for (const { block, certificate } of fresh) {
      if (!equalBytes(block.header.parent, parent)) return 'wrong';
      if (!equalBytes(transactionsRoot(block.transactions), block.header.transactionsRoot)) return 'wrong';
      if (certificate !== null && !certifies(this.chain.state, block, certificate, verify)) return 'wrong';
      parent = blockDigest(block.header);
    }
    const last = fresh.at(-1);
    if (last === undefined) return 'applied';
    const final: NewlyFinal[] = [];
    let at = this.chain.tip;
    for (const { block, certificate } of fresh) {
      const result = executeBlock(at.state, at.block.header, block, { verify });
      if (result.kind === 'invalid') {
        const { height } = block.header;
        throw new AppError(
          'STORE_CORRUPT',
          `final block ${height} does not execute on the ledger of this box`,
        );
      }
      at = executedBlock(block, result.state, result.transactions);
      final.push({ executed: at, certificate });
    }
    await this.#add(final);
    if (last.certificate === null) return 'applied';
    const checked = this.#checks.certificate(this.#engine.core, last.certificate);
    if (checked.kind === 'verified') this.#engine.input({ kind: 'certificate', certificate: checked.value });
    return 'applied';
  }

  async #add(final: readonly NewlyFinal[]): Promise<void> {
    await this.chain.add(final, (executed) => this.#becameFinal(executed));
    this.#tree.prune();
    this.#checkFreshness();
  }

  #becameFinal({ block, transactions, ids }: ExecutedBlock): void {
    this.#submissions.becameFinal(ids, block.header);
    this.#submissions.refused(this.#mempool.afterFinal(ids, this.chain, this.#options.clock.now()));
    this.#options.onFinal({ block, transactions });
  }

  #gotTransaction(from: InstitutionId, transaction: Uint8Array): void {
    const admission = this.#mempool.add(from, transaction, this.chain, this.#options.clock.now());
    if (admission.kind === 'waiting') {
      if (admission.isNew) this.#wake();
      return;
    }
    const reason = admission.kind === 'full' ? 'no room for this institution' : admission.reason;
    this.#options.logger.debug({ peer: from, reason }, 'a transaction of a peer was not taken');
  }

  /** Once a second: what is stuck is said again, what is missing is asked for again. */
  #tick(): void {
    const { clock } = this.#options;
    this.#tickTimer = clock.setTimer(retransmitMs, () => this.#tick());
    const now = clock.now();
    if (this.#work.isStuck(this.#engine.core)) {
      this.#engine.input({ kind: 'retransmit' });
      this.#broadcast(this.#ownStanding());
    }
    for (const transaction of this.#submissions.unsentSince(now - submissionResendMs, now)) {
      this.#broadcast({ type: 'transaction', transaction });
    }
    this.#catchUp.look();
    this.#checkFreshness();
  }

  #checkFreshness(): void {
    const { clock, health } = this.#options;
    const ageMs = clock.now() - this.chain.head.time;
    if (ageMs <= headAgeMsMax) health.clear('LEDGER_STALE', 'ledger');
    else
      health.raise('LEDGER_STALE', 'ledger', `The last final block is older than ${headAgeMsMax / 1000} s.`);
  }

  /** A peer that has just come hears where this box stands, and what it wants on the ledger. */
  #greetNewPeers(): void {
    const { network } = this.#options;
    const before = this.#connected;
    const connected = network.peers().filter((peer) => peer.connected);
    this.#connected = new Set(connected.map(({ institution }) => institution));
    for (const { institution } of connected) {
      if (before.has(institution)) continue;
      network.send(institution, encodeMessage(this.#ownStanding()));
      for (const transaction of this.#submissions.all()) {
        network.send(institution, encodeMessage({ type: 'transaction', transaction }));
      }
    }
    this.#wake();
  }

  #ownStanding(): Message {
    return { type: 'standing', standing: standingOf(this.#engine.core), height: this.chain.head.height };
  }

  #keepEvidence(evidence: Evidence): void {
    const { kind, validator, view } = evidence;
    const institution = this.chain.state.validators()[validator] ?? '';
    this.#options.logger.warn({ institution, view, kind }, 'a validator contradicts itself');
    if (this.#evidence.length < evidenceKeptMax) this.#evidence.push(evidence);
  }

  #broadcast(message: Message): void {
    const encoded = encodeMessage(message);
    for (const { institution } of this.#options.network.peers())
      this.#options.network.send(institution, encoded);
  }

  #wake(): void {
    this.#engine.wake();
  }

  #fail(fault: AppError): void {
    this.#fault = fault;
    this.#options.logger.error({ code: fault.code }, 'the ledger stands still on this box');
    this.#options.health.raise(fault.code, 'ledger', fault.message);
    this.#submissions.fail(fault);
  }
}

/** Undefined if there is no vote log that can be trusted: the box then follows without a vote. */
async function readOrAbstain(
  { voteLog, health, logger }: ParticipantOptions,
  headView: number,
): Promise<VoteLogContent | undefined> {
  if (voteLog === undefined) return undefined;
  try {
    if (voteLog.length === 0 && headView > 0) {
      logger.warn({ view: headView }, 'the vote log begins anew: earlier votes of this box are not known');
    }
    return await readVoteLog(voteLog, headView);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    logger.error({ code: error.code }, 'the vote log cannot be used: this box does not vote');
    health.raise(error.code, 'vote log', error.message);
    return undefined;
  }
}
