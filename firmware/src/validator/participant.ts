/** The running parts of a validator and how they act on each other. */
import { standingOf } from '../consensus/help.ts';
import { recover } from '../consensus/recovery.ts';
import type { Stepped } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import type { Evidence } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import { transactionId } from '../ledger/index.ts';
import type { FinalBlock, InstitutionId, Submitted, Timer, Unsubscribe } from '../ports.ts';
import { Archivist } from './archivist.ts';
import { encodedBody, serveBlocks } from './block-server.ts';
import { BlockTree } from './block-tree.ts';
import { CatchUp } from './catch-up.ts';
import { CatchUpPeers } from './catch-up-peers.ts';
import { catchingUp } from './catch-up-status.ts';
import { CertificateBook } from './certificate-book.ts';
import { Checks } from './checks.ts';
import type { Instance, OutwardEffect } from './engine.ts';
import { Engine } from './engine.ts';
import { FinalChain } from './final-chain.ts';
import { Finality } from './finality.ts';
import { reportAge, reportClock, reportStranded } from './freshness.ts';
import { Handovers } from './handovers.ts';
import { retransmitMs, submissionResendMs, voteLogBytesMax } from './limits.ts';
import { assertFormatKnown } from './known-format.ts';
import { Mempool } from './mempool.ts';
import type { Message } from './messages.ts';
import { encodeMessage } from './messages.ts';
import { OwnKeys } from './own-keys.ts';
import { isAfter } from './place.ts';
import { Receiver } from './receiver.ts';
import { rememberVerified } from './signature-cache.ts';
import { Restarts } from './restarts.ts';
import { Snapshots } from './snapshots.ts';
import type { LastBlock } from './standstill.ts';
import { Standstill } from './standstill.ts';
import { Submissions } from './submissions.ts';
import type { ConsensusStatus, ValidatorOptions } from './validator.ts';
import { ViewWork } from './view-work.ts';
import type { Right } from './voting-rights.ts';
import { VotingRights } from './voting-rights.ts';
import { Witness } from './witness.ts';

export interface ParticipantOptions extends ValidatorOptions {
  readonly onFinal: (final: FinalBlock) => void;
}

/** What was read at the start. */
interface ReadDisks {
  readonly chain: FinalChain;
  readonly snapshots: Snapshots | undefined;
  readonly rights: VotingRights;
  readonly restarts: Restarts;
}

export class Participant {
  readonly #options: ParticipantOptions;
  readonly chain: FinalChain;
  readonly #tree: BlockTree;
  readonly #rights: VotingRights;
  readonly #restarts: Restarts;
  readonly #handovers: Handovers;
  readonly #ownKeys: OwnKeys;
  readonly #witness: Witness;
  readonly #mempool: Mempool;
  readonly #submissions = new Submissions();
  readonly #engine: Engine;
  readonly #work: ViewWork;
  readonly #archivist: Archivist | undefined;
  readonly #catchUp: CatchUp;
  readonly #receiver: Receiver;
  readonly #book = new CertificateBook();
  readonly #finality: Finality;
  readonly #standstill: Standstill;
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
    const snapshots = options.archive && (await Snapshots.open(options.archive));
    const chain = await FinalChain.open({ ...options, stateStore: options.state, verify, snapshots });
    const rights = new VotingRights({ ...options, chain: chain.state.chain });
    await rights.begin(chain.place);
    const restarts = new Restarts({ ...options, chain, store: options.handovers });
    await restarts.load();
    const right = await rights.in(chain.electorate, chain.place);
    const disks = { chain, snapshots, rights, restarts };
    const participant = new Participant({ ...options, verify }, disks, right);
    await participant.#handovers.load();
    await participant.#ownKeys.erasePast();
    return participant;
  }

  private constructor(
    options: ParticipantOptions,
    { chain, snapshots, rights, restarts }: ReadDisks,
    right: Right,
  ) {
    const { self, network, clock, logger, health, verify } = options;
    this.#options = options;
    this.chain = chain;
    this.#rights = rights;
    this.#restarts = restarts;
    const duties = {
      ...options,
      chain,
      submit: (transaction: Uint8Array) => this.submit(transaction),
      failed: (fault: AppError) => this.#fail(fault),
    };
    this.#ownKeys = new OwnKeys(duties);
    this.#witness = new Witness(duties);
    this.#handovers = new Handovers({
      ...duties,
      store: options.handovers,
      broadcast: (signature) => this.#broadcast({ type: 'handover', signature }),
    });
    const tree = new BlockTree(chain, verify, logger);
    this.#tree = tree;
    this.#mempool = new Mempool({ self, verify, isAwaited: (id) => this.#submissions.isAwaited(id) });
    const checks = new Checks({ chain: chain.state.chain, verify: options.verify });
    const electorate = () => this.#engine.electorate;
    this.#finality = new Finality({
      ...options,
      chain,
      tree,
      book: this.#book,
      checks,
      rights,
      restarts,
      ownKeys: this.#ownKeys,
      handovers: this.#handovers,
      mempool: this.#mempool,
      submissions: this.#submissions,
      archivist: () => this.#archivist,
      catchUp: () => this.#catchUp,
      core: () => this.#engine.core,
      electorate,
      onFinal: (final) => {
        options.onFinal(final);
        reportClock(health, clock.now() - final.block.header.time);
        this.#checkFreshness();
      },
    });
    this.#standstill = new Standstill({ chain, tree, clock, logger, rights, core: () => this.#engine.core });
    const peers = new CatchUpPeers(options);
    const { archive } = options;
    this.#archivist =
      archive &&
      snapshots &&
      new Archivist({
        ...options,
        archive,
        snapshots,
        chain,
        handovers: this.#handovers,
        peers,
        install: async (epoch) => {
          await this.#engine.exclusively(() => this.#finality.install(snapshots, epoch));
        },
        failed: (fault) => this.#fail(fault),
      });
    this.#catchUp = new CatchUp({
      peers,
      clock,
      logger,
      headHeight: () => chain.head.height,
      validators: () => chain.electorate.validators.length,
      takeSnapshot: (signal) => this.#archivist?.take(signal) ?? Promise.resolve(false),
      stranded: (isStranded) => reportStranded(health, isStranded),
      failed: (fault) => this.#fail(fault),
      apply: (blocks) => this.#engine.exclusively(() => this.#finality.apply(blocks)),
      isMissingFinal: () => this.#finality.isBehind,
      gotBlock: (block) => {
        const isWhole = tree.add(block);
        if (isWhole) this.#wake();
        return isWhole;
      },
    });
    this.#work = new ViewWork({
      self,
      electorate,
      chain,
      tree,
      mempool: this.#mempool,
      network,
      clock,
      verify,
      missing: (digest) => this.#finality.fetch(digest),
      refused: (refusals) => this.#submissions.refused(refusals),
    });
    this.#engine = new Engine(
      {
        voteLogBytesMax: options.voteLogBytesMax ?? voteLogBytesMax,
        logger,
        health,
        newlyFinal: () => this.#finality.inputs(),
        blockBytes: (digest) => encodedBody(tree, digest),
        execute: (effect) => this.#execute(effect),
        afterBatch: () => this.#afterBatch(),
        observe: () => this.#observe(),
        voteLogFailed: () => rights.voteLogFailed(),
        begun: () => this.#epochBegan(),
        place: () => chain.place,
        failed: (fault) => this.#fail(fault),
      },
      this.#instance(right),
    );
    this.#receiver = new Receiver({
      electorate,
      checks,
      tree,
      catchUp: this.#catchUp,
      clock,
      logger,
      core: () => this.#engine.core,
      headHeight: () => chain.head.height,
      closingOf: (epoch) => (chain.closing?.epoch === epoch ? chain.closing : undefined),
      input: (...inputs) => this.#engine.input(...inputs),
      gotHandover: (signature) => this.#handovers.received(signature),
      gotRestart: (order) => {
        const reason = restarts.offer(order);
        this.#wake();
        return reason;
      },
      restartFor: (epoch, from) => restarts.orderFor(epoch, from),
      peerStands: (from, place) => {
        if (restarts.peerStands(from, place)) this.#wake();
      },
      gotTransaction: (from, transaction) => this.#gotTransaction(from, transaction),
      send: (to, message) => network.send(to, encodeMessage(message)),
    });
  }

  start(): void {
    const { network } = this.#options;
    this.#subscriptions.push(
      serveBlocks(network, this.chain, this.#tree),
      this.#handovers.start(),
      ...(this.#archivist === undefined ? [] : [this.#archivist.start()]),
      network.onMessage((from, bytes) => this.#receiver.receive(from, bytes) ?? this.#engine.room()),
      network.onPeerChange(() => this.#greetNewPeers()),
    );
    this.#engine.start();
    this.#greetNewPeers();
    this.#tick();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#tickTimer?.cancel();
    this.#receiver.stop();
    await this.#engine.stop();
    this.#wakeTimer?.cancel();
    await this.#catchUp.stop();
    await this.#archivist?.stop();
    await this.#handovers.stop();
    this.#submissions.fail(new AppError('LEDGER_STALE', 'the box stops before the transaction is final'));
    await Promise.all([this.#ownKeys.stop(), this.#witness.stop()]);
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

  /** One who submitted this waits no more: it stays while it applies, and is given up otherwise. */
  leave(bytes: Uint8Array): void {
    this.#submissions.leave(transactionId(bytes));
  }

  handover(epoch: number): Promise<Uint8Array | undefined> {
    return this.#handovers.completed(epoch);
  }

  get evidence(): readonly Evidence[] {
    return this.#witness.evidence;
  }

  get standing(): ConsensusStatus {
    const { core, isVoting } = this.#engine;
    const now = this.#options.clock.now();
    return {
      view: core.view,
      finalView: core.final.view,
      isVoting,
      waiting: this.#mempool.size,
      catchingUp: catchingUp(now, this.#catchUp.progress, this.#archivist?.progress),
    };
  }

  get forgottenSince(): number | undefined {
    return this.#rights.gap;
  }

  get lastBlock(): LastBlock {
    return this.#standstill.lastBlock;
  }

  /** What the ledger takes on the disk of this box, the state in its store left out. Bytes. */
  async bytes(): Promise<number> {
    return (await this.#options.blockLog.bytes()) + ((await this.#archivist?.bytes()) ?? 0);
  }

  /** Consensus as it goes on where the block log ends. */
  #instance({ core, voteLog, content, start }: Right): Instance {
    for (const block of content?.blocks ?? []) this.#tree.add(block);
    const { floor, records, bytes } = content ?? { floor: 0, records: [], bytes: 0 };
    for (const record of records) if (record.kind === 'certificate') this.#book.note(record.certificate);
    const restart = this.#restarts.begin();
    const stepped = recover(core, { final: this.#finality.point, floor, records, restart });
    return { electorate: this.chain.electorate, stepped, voteLog, voteLogBytes: bytes, start };
  }

  #observe(): Stepped {
    const core = this.#rights.coreWithout(this.chain.electorate);
    const restart = this.#restarts.begin();
    return recover(core, { final: this.#finality.point, floor: 0, records: [], restart });
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
        this.#book.note(effect.certificate);
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
        const { certificate } = effect;
        const isOpen = isAfter(certificate, this.chain.place);
        if (isOpen && !this.#tree.has(certificate.digest)) this.#finality.fetch(certificate.digest);
        break;
      }
      case 'finalized':
        // Written in #afterBatch, from the core's newest final point: one write for several.
        break;
      case 'evidence':
        this.#witness.saw(effect.evidence);
        break;
    }
  }

  async #afterBatch(): Promise<void> {
    await this.#finality.write();
    assertFormatKnown(this.chain.state, this.chain.head.height + 1);
    const { electorate, place } = this.chain;
    const isRestarted = (await this.#takeRestart()) || this.#restarts.haveChanged;
    if (place.epoch !== this.#engine.core.options.epoch || this.#rights.haveChanged || isRestarted) {
      // The block that closed the epoch is final and on disk; or the box has learned up to where it may have voted, or
      // that what was voted counts no more.
      this.#engine.begin(this.#instance(await this.#rights.in(electorate, place)));
      await this.#ownKeys.erasePast();
      return;
    }
    const { inputs, wakeAt } = this.#work.look(this.#engine.core);
    this.#engine.input(...inputs);
    this.#wakeTimer?.cancel();
    this.#wakeTimer = undefined;
    if (wakeAt === Infinity) return;
    const { clock } = this.#options;
    this.#wakeTimer = clock.setTimer(Math.max(0, wakeAt - clock.now()), () => this.#wake());
  }

  /** True if consensus begins again after the floor of a restart order, which is on disk then. */
  async #takeRestart(): Promise<boolean> {
    const order = await this.#restarts.due(this.#engine.core);
    if (order === undefined) return false;
    const { epoch, floor: view } = order;
    const { gap } = this.#rights;
    // A box that has forgotten what the signers did not count waits for its fresh key to be final. Before the order is
    // in the store its floor is in the vote log: the other way round a power cut between them left it without a vote.
    const closes = gap === undefined || this.#restarts.closesGap(order, gap);
    // What is built after the floor stands on this notarization, which nobody may have on a disk.
    const { notarization } = viewOf(this.#engine.core, order.view);
    const known = notarization === undefined ? [] : [notarization];
    await this.#restarts.taken(!closes || (await this.#rights.votedUpTo({ epoch, view }, known)));
    return true;
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
    this.#handovers.tick();
    this.#ownKeys.tick(this.#rights.isForgetful || this.#restarts.asksForFreshKey);
    this.#witness.tick();
    this.#checkFreshness();
  }

  /** Others may be in it already, or not yet: they hear that this box is, and it hears what they have said. */
  #epochBegan(): void {
    const { epoch, validators } = this.#engine.electorate;
    const { isVoting } = this.#engine;
    this.#options.logger.info({ epoch, validators: validators.length, isVoting }, 'an epoch begins');
    this.#broadcast(this.#ownStanding());
    this.#receiver.epochBegan(epoch);
  }

  #checkFreshness(): void {
    const { clock, health } = this.#options;
    const ageMs = clock.now() - this.chain.head.time;
    reportAge(health, ageMs);
    this.#standstill.look(ageMs);
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
