/**
 * The steps by which a granted study comes here: opening receipt, stream, closing receipt. Each is on disk before the
 * next, so that a box that was killed goes on where it was.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { idBytes, openId } from '../ledger/ids.ts';
import { encodeTransaction, signingMessage } from '../ledger/transactions.ts';
import type { AccessClose, AccessOpen, StudyId, TransactionBody } from '../ledger/types.ts';
import type { Clock, InstitutionId, Ledger, Logger, Network, OpenPlane } from '../ports.ts';
import type { Account } from '../protocol/accounts.ts';
import { closingDigest, recogniseGrant, type RecognisedGrant } from '../protocol/grants.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { basisInWords } from './basis-words.ts';
import type { Disclosures } from './disclosures.ts';
import { granteeSignatureOf, grantOf, openOf } from './fetch-job-contents.ts';
import type { FetchJob, FetchJobs } from './fetch-jobs.ts';
import { receiptValidMs } from './limits.ts';
import {
  decodeReleaseAnswer,
  encodeReceiptRequest,
  encodeStreamRequest,
  heldDigest,
  releaseProtocol,
  streamMessage,
  type AnyReceiptRequest,
  type ReleaseAnswer,
} from './messages.ts';
import { sizeBucketOf } from './size-bucket.ts';
import type { StudyReceiver } from './study-receiver.ts';

export interface FetchStepsOptions {
  /** The institution's account at itself, to which grants are addressed. */
  readonly account: Account;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly openPlane: OpenPlane;
  readonly jobs: FetchJobs;
  readonly receiver: StudyReceiver;
  readonly catalogue: Catalogue;
  readonly disclosures: Disclosures;
  /** Called when a study is verified and on disk: the PACS gets it. */
  readonly onKept: (study: KeptStudy, job: FetchJob) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const refusedReason = 'the source released nothing';

export class FetchSteps {
  readonly #options: FetchStepsOptions;
  readonly #stopping: AbortSignal;

  /** `stopping` breaks off what is under way. */
  constructor(options: FetchStepsOptions, stopping: AbortSignal) {
    this.#options = options;
    this.#stopping = stopping;
  }

  /** As far as it goes now: `done` or `refused`. @throws AppError if a step failed and may be tried again. */
  async advance(job: FetchJob): Promise<FetchJob> {
    let current = job;
    if (current.state === 'granted') current = await this.#openReceipt(current);
    if (current.state === 'opened') current = await this.#take(current);
    if (current.state === 'kept') current = await this.#closeReceipt(current);
    // The amendment of a version that became final meanwhile met a job that was not done, and was passed over.
    if (current.state === 'done' && this.isBehind(current))
      return this.advance(await this.#options.jobs.save({ ...current, state: 'granted', open: null }));
    return current;
  }

  /**
   * Whether a later version stands on the ledger than was taken, which is worth one of the grant's few opens: while a
   * study grows it is amended every half minute, so a study that was fetched early is fetched again when it is closed.
   */
  isBehind(job: FetchJob): boolean {
    const state = this.#options.ledger.state();
    const grant = state.basis(job.grantId);
    return (
      grant !== undefined &&
      grant.opens < grant.maxOpens &&
      state.study(job.studyId)?.closed === true &&
      !this.tookHead(job)
    );
  }

  /** Whether the version that the grant covers now is the one that was opened last. */
  tookHead(job: FetchJob): boolean {
    const head = this.#headOf(job);
    return head !== undefined && job.open !== null && equalBytes(openOf(job).head, head);
  }

  /** A receipt that was signed before a crash, or whose answer was lost, is asked for again: there is no second one. */
  async #openReceipt(job: FetchJob): Promise<FetchJob> {
    const { ledger, jobs, logger } = this.#options;
    if (job.open !== null && ledger.state().openById(openId(openOf(job))) !== undefined)
      return jobs.save({ ...job, state: 'opened' });
    const asked = this.#canAskAgain(job) ? job : await jobs.save({ ...job, open: await this.#signOpen(job) });
    const { tweak } = this.#recognised(job);
    const answer = await this.#send(job.source, {
      body: openOf(asked),
      signature: granteeSignatureOf(asked),
      tweak,
    });
    if (answer.kind === 'refused') return this.#refused(asked);
    logger.info({ grant: job.grantId, source: job.source }, 'opening receipt is final');
    return jobs.save({ ...asked, state: 'opened' });
  }

  #canAskAgain(job: FetchJob): boolean {
    if (job.open === null) return false;
    const { validUntil, head, openNo } = openOf(job);
    return (
      validUntil > this.#options.clock.now() &&
      // Another open has its number: one that was signed before, and became final all the same.
      openNo > this.#opensOf(job) &&
      equalBytes(head, this.#headOf(job) ?? new Uint8Array(0))
    );
  }

  /** How often the grant was opened, as this box knows the ledger. */
  #opensOf({ grantId }: FetchJob): number {
    return this.#options.ledger.state().basis(grantId)?.opens ?? 0;
  }

  async #signOpen(job: FetchJob): Promise<Uint8Array> {
    const body: AccessOpen = {
      type: 'access.open',
      ...this.#envelope(job.source),
      studyId: grantOf(job).studyId,
      basisId: idBytes(job.grantId),
      openNo: this.#opensOf(job) + 1,
      head: this.#headOf(job) ?? randomBytes(32),
    };
    const signature = await this.#recognised(job).signer.sign(signingMessage(body));
    // The source signs after it; until then its place is empty.
    return encodeTransaction({ body, signatures: [signature, new Uint8Array(64)] });
  }

  /** The commitment that the grant covers now. */
  #headOf(job: FetchJob): Uint8Array | undefined {
    const state = this.#options.ledger.state();
    const basis = state.basis(job.grantId);
    return basis?.amendments === true ? state.study(job.studyId)?.commitment : basis?.head;
  }

  async #take(job: FetchJob): Promise<FetchJob> {
    const { ledger, openPlane, receiver, catalogue, disclosures, jobs, logger, onKept } = this.#options;
    const member = ledger.state().institution(job.source);
    if (member === undefined)
      throw new AppError('NOT_A_MEMBER', `The source ${job.source} is no member any more.`);
    const open = openOf(job);
    const id = idBytes(openId(open));
    const running = await disclosures.record({
      direction: 'in',
      institution: job.source,
      studyId: job.studyId,
      outcome: 'running',
      reason: basisInWords(ledger.state(), job.grantId),
      objects: 0,
      bytes: 0,
    });
    const connection = await openPlane(member, this.#stopping);
    let progress = { objects: 0, bytes: 0 };
    try {
      const held = catalogue.byStudyId(job.studyId)?.newest ?? [];
      const signature = await this.#recognised(job).signer.sign(streamMessage(id, connection.exporter));
      const frames = connection.request(
        encodeStreamRequest({
          openId: id,
          skip: held.length,
          held: heldDigest(held.map(({ instanceKey }) => instanceKey)),
          signature,
        }),
      );
      await receiver.receive(frames, {
        studyId: job.studyId,
        source: job.source,
        commitment: open.head,
        held,
        onProgress: (objects, bytes) => (progress = { objects, bytes }),
      });
      const study = catalogue.byStudyId(job.studyId);
      if (study === undefined) throw new Error('a study without objects is never released');
      await disclosures.update(running, {
        outcome: 'released',
        objects: study.objects.length,
        bytes: study.bytes,
      });
      await onKept(study, job);
      const { ref, objects, bytes } = study;
      logger.info({ study: ref, source: job.source, objects: objects.length, bytes }, 'study fetched');
      return await jobs.save({ ...job, state: 'kept', sizeBucket: sizeBucketOf(study.newest) });
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'a fault of this box';
      await disclosures.update(running, { outcome: 'failed', reason: code, ...progress });
      if (error instanceof AppError && error.code === 'NOT_RELEASED') return this.#refused(job);
      throw error;
    } finally {
      connection.close();
    }
  }

  async #closeReceipt(job: FetchJob): Promise<FetchJob> {
    const { jobs, logger } = this.#options;
    if (job.sizeBucket === null) throw new Error('a study that is kept has a size');
    const { signer, tweak } = this.#recognised(job);
    const open = openOf(job);
    const id = idBytes(openId(open));
    const body: AccessClose = {
      type: 'access.close',
      ...this.#envelope(job.source),
      studyId: open.studyId,
      openId: id,
      digest: closingDigest(tweak, id, open.head),
      sizeBucket: job.sizeBucket,
    };
    const answer = await this.#send(job.source, {
      body,
      signature: await signer.sign(signingMessage(body)),
      tweak,
    });
    if (answer.kind === 'refused')
      throw new AppError('NOT_RELEASED', 'The source did not record the closing receipt.');
    logger.info({ grant: job.grantId }, 'receipt closed');
    return jobs.save({ ...job, state: 'done' });
  }

  /**
   * Asks without a grant, because a person here wants the study: signed with nothing that counts, it takes the way of
   * every request and is refused as every refusal is. @throws AppError PEER_UNREACHABLE.
   */
  async knock(source: InstitutionId, studyId: StudyId): Promise<{ readonly kind: 'refused' }> {
    const { ledger, disclosures } = this.#options;
    const body: AccessOpen = {
      type: 'access.open',
      ...this.#envelope(source),
      studyId: idBytes(studyId),
      basisId: randomBytes(32),
      openNo: 1,
      head: ledger.state().study(studyId)?.commitment ?? randomBytes(32),
    };
    const { kind } = await this.#send(source, { body, signature: randomBytes(64), tweak: randomBytes(32) });
    if (kind !== 'refused')
      throw new AppError('PEER_MISBEHAVED', `${source} took a receipt that nobody granted.`);
    await disclosures.record({
      direction: 'in',
      institution: source,
      studyId,
      outcome: 'refused',
      reason: `${refusedReason} (this box holds no grant)`,
      objects: 0,
      bytes: 0,
    });
    return { kind };
  }

  async #refused(job: FetchJob): Promise<FetchJob> {
    const { jobs, disclosures } = this.#options;
    await disclosures.record({
      direction: 'in',
      institution: job.source,
      studyId: job.studyId,
      outcome: 'refused',
      reason: refusedReason,
      objects: 0,
      bytes: 0,
    });
    return jobs.save({ ...job, state: 'refused', reason: refusedReason });
  }

  async #send(source: InstitutionId, request: AnyReceiptRequest): Promise<ReleaseAnswer> {
    const bytes = await this.#options.network.request(
      source,
      releaseProtocol,
      encodeReceiptRequest(request),
      {
        timeoutMs: receiptValidMs,
        signal: this.#stopping,
      },
    );
    const answer = decodeReleaseAnswer(bytes);
    if (answer === undefined) throw new AppError('PEER_MISBEHAVED', `${source} gave no answer that exists.`);
    return answer;
  }

  #recognised(job: FetchJob): RecognisedGrant {
    const recognised = recogniseGrant(this.#options.account, grantOf(job));
    if (recognised === undefined) throw new Error('a job is made for recognised grants only');
    return recognised;
  }

  #envelope(
    source: InstitutionId,
  ): Pick<TransactionBody, 'chain' | 'validUntil'> & { readonly source: InstitutionId } {
    const { ledger, clock } = this.#options;
    return { chain: ledger.state().chain, validUntil: clock.now() + receiptValidMs, source };
  }
}
