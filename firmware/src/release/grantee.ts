/**
 * The grantee's side of a release: recognises its grants in final blocks, asks the source for an opening receipt,
 * takes the study over the TLS plane, closes the receipt. Each step is on disk before the next, so that a box that was
 * killed goes on where it was.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';

import { equalBytes } from '../encoding/bytes.ts';
import { hash } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import { grantId, idBytes, openId, toStudyId } from '../ledger/ids.ts';
import { decodeTransaction, encodeTransaction, signingMessage } from '../ledger/transactions.ts';
import type {
  AccessClose,
  AccessGrant,
  AccessOpen,
  GrantId,
  StudyId,
  TransactionBody,
} from '../ledger/types.ts';
import type {
  Clock,
  FinalBlock,
  InstitutionId,
  Ledger,
  Logger,
  Network,
  OpenPlane,
  Service,
} from '../ports.ts';
import type { Account } from '../protocol/accounts.ts';
import { openGrantNote } from '../protocol/grant-note.ts';
import { recogniseGrant, type RecognisedGrant } from '../protocol/grants.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { Disclosures } from './disclosures.ts';
import type { FetchJob, FetchJobs } from './fetch-jobs.ts';
import { fetchesAtOnceMax, receiptValidMs, refusalsMax } from './limits.ts';
import {
  decodeReleaseAnswer,
  encodeReceiptRequest,
  encodeStreamRequest,
  releaseProtocol,
  streamMessage,
  type AnyReceiptRequest,
  type ReleaseAnswer,
} from './messages.ts';
import { openOnLedger } from './open-sessions.ts';
import { retryPauseMs } from './retry.ts';
import type { StudyReceiver } from './study-receiver.ts';
import { Turns } from './turns.ts';

export interface GranteeOptions {
  readonly self: InstitutionId;
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

export type AskOutcome = { readonly kind: 'kept'; readonly objects: number } | { readonly kind: 'refused' };

const refusedReason = 'the source released nothing';

export class Grantee implements Service {
  readonly #options: GranteeOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<GrantId, Promise<void>>();
  readonly #asked = new Map<GrantId, Promise<AskOutcome>>();
  readonly #turns = new Turns(fetchesAtOnceMax);
  #scanning: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;

  constructor(options: GranteeOptions) {
    this.#options = options;
    // Every job waits on this one signal.
    setMaxListeners(0, this.#stopping.signal);
  }

  start(): Promise<void> {
    const { jobs, ledger } = this.#options;
    for (const job of jobs.all()) this.#run(job);
    this.#unsubscribe = ledger.onFinal(() => this.#scanSoon());
    this.#scanSoon();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stopping.abort();
    await Promise.allSettled([this.#scanning, ...this.#running.values()]);
  }

  /**
   * Asks a source for a study because a person here wants it now, grant or not. The source answers a member without a
   * grant like one whose grant was withdrawn, and both as if there were no such study.
   * @throws AppError PEER_UNREACHABLE.
   */
  async ask(source: InstitutionId, studyId: StudyId): Promise<AskOutcome> {
    const { jobs, disclosures } = this.#options;
    const known = jobs.ofStudy(studyId);
    if (known?.source === source) {
      // Several who ask at the same time share one open: a grant has few.
      const asked =
        this.#asked.get(known.grantId) ??
        this.#askAgain(known).finally(() => this.#asked.delete(known.grantId));
      this.#asked.set(known.grantId, asked);
      return asked;
    }
    const body: AccessOpen = {
      type: 'access.open',
      ...this.#envelope(source),
      studyId: idBytes(studyId),
      grantId: randomBytes(32),
      openNo: 1,
      head: this.#options.ledger.state().study(studyId)?.commitment ?? randomBytes(32),
    };
    await this.#send(source, { body, signature: randomBytes(64), tweak: randomBytes(32) });
    await disclosures.record({
      direction: 'in',
      institution: source,
      studyId,
      outcome: 'refused',
      reason: `${refusedReason} (this box holds no grant)`,
      objects: 0,
      bytes: 0,
    });
    return { kind: 'refused' };
  }

  async #askAgain(known: FetchJob): Promise<AskOutcome> {
    const { jobs, catalogue } = this.#options;
    await this.#running.get(known.grantId);
    const advance = async (): Promise<void> => {
      const current = jobs.get(known.grantId) ?? known;
      await this.#advance(
        isSettled(current)
          ? await jobs.save({ ...current, state: 'granted', open: null, reason: '' })
          : current,
      );
    };
    await this.#occupy(known.grantId, advance());
    if (jobs.get(known.grantId)?.state === 'refused') return { kind: 'refused' };
    return { kind: 'kept', objects: catalogue.byStudyId(known.studyId)?.objects.length ?? 0 };
  }

  // --- grants in final blocks ---

  #scanSoon(): void {
    this.#scanning = this.#scanning
      .then(() => this.#scan())
      .catch((error: unknown) => {
        this.#options.logger.error({ error }, 'looking for grants failed');
      });
  }

  async #scan(): Promise<void> {
    const { ledger, jobs } = this.#options;
    if (jobs.cursor >= ledger.head().height) return;
    for await (const final of ledger.blocks(jobs.cursor + 1)) {
      if (this.#stopping.signal.aborted) return;
      const found = await this.#jobsIn(final);
      await jobs.advance(final.block.header.height, found);
      for (const job of found) this.#run(job);
    }
  }

  async #jobsIn(final: FinalBlock): Promise<FetchJob[]> {
    const found: FetchJob[] = [];
    for (const { body, signatures } of final.transactions) {
      if (body.type === 'access.grant') {
        const job = await this.#jobOf(body, signatures);
        if (job !== undefined) found.push(job);
      } else if (body.type === 'study.amend') {
        const job = this.#options.jobs.ofStudy(toStudyId(body.studyId));
        if (job?.state === 'done' && this.#isBehind(job))
          found.push({ ...job, state: 'granted', open: null });
      }
    }
    return found;
  }

  async #jobOf(body: AccessGrant, signatures: readonly Uint8Array[]): Promise<FetchJob | undefined> {
    const { account, ledger, logger } = this.#options;
    if (recogniseGrant(account, body) === undefined) return undefined;
    const studyId = toStudyId(body.studyId);
    const note = await openGrantNote(body, 'grantee', account.viewKey);
    const source = ledger.state().study(studyId)?.source;
    if (note === undefined || source === undefined || note.source !== source) {
      logger.warn({ grant: grantId(body) }, 'a grant to this institution cannot be opened');
      return undefined;
    }
    logger.info({ grant: grantId(body), source }, 'grant recognised');
    return {
      grantId: grantId(body),
      studyId,
      source,
      grant: encodeTransaction({ body, signatures }),
      patientAccount: note.terms.patientAtGrantee,
      state: 'granted',
      open: null,
      reason: '',
    };
  }

  // --- one job ---

  #run(job: FetchJob): void {
    if (isSettled(job) || this.#running.has(job.grantId) || this.#stopping.signal.aborted) return;
    void this.#occupy(job.grantId, this.#untilSettled(job));
  }

  /** One at a time for each grant. What a block brought meanwhile is taken up afterwards. */
  #occupy(id: GrantId, work: Promise<void>): Promise<void> {
    const running = work.finally(() => {
      this.#running.delete(id);
      const job = this.#options.jobs.get(id);
      if (job !== undefined) this.#run(job);
    });
    this.#running.set(id, running);
    return running;
  }

  async #untilSettled(job: FetchJob): Promise<void> {
    const { clock, jobs, logger } = this.#options;
    let refusals = 0;
    for (let failures = 0; !this.#stopping.signal.aborted; failures++) {
      try {
        const after = await this.#turns.take(() => this.#advance(jobs.get(job.grantId) ?? job));
        if (after.state !== 'refused' || !this.#stands(job) || refusals === refusalsMax) return;
        // A source that was down is behind for a while, and refuses what it has not seen yet.
        refusals += 1;
        await jobs.save({ ...after, state: 'granted' });
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        logger.warn(
          { grant: job.grantId, source: job.source, error },
          'fetching failed, will be tried again',
        );
      }
      await clock.sleep(retryPauseMs(failures), this.#stopping.signal).catch(() => 'stopped');
    }
  }

  /** Whether the source should release, as this box knows the ledger. */
  #stands({ grantId }: FetchJob): boolean {
    const { ledger, clock } = this.#options;
    const grant = ledger.state().grant(grantId);
    return grant !== undefined && ledger.state().grantStands(grantId) && clock.now() < grant.expiry;
  }

  async #advance(job: FetchJob): Promise<FetchJob> {
    let current = job;
    if (current.state === 'granted') current = await this.#openReceipt(current);
    if (current.state === 'opened') current = await this.#take(current);
    if (current.state === 'kept') current = await this.#closeReceipt(current);
    // The amendment of a version that became final meanwhile met a job that was not done, and was passed over.
    if (current.state === 'done' && this.#isBehind(current))
      return this.#advance(await this.#options.jobs.save({ ...current, state: 'granted', open: null }));
    return current;
  }

  /** Whether a later version stands on the ledger than was taken, and the grant still has an open for it. */
  #isBehind(job: FetchJob): boolean {
    const grant = this.#options.ledger.state().grant(job.grantId);
    const head = this.#headOf(job);
    return (
      grant !== undefined &&
      head !== undefined &&
      grant.opens < grant.maxOpens &&
      !equalBytes(openOf(job).head, head)
    );
  }

  /** A receipt that was signed before a crash, or whose answer was lost, is asked for again: there is no second one. */
  async #openReceipt(job: FetchJob): Promise<FetchJob> {
    const { ledger, jobs, logger } = this.#options;
    if (job.open !== null && openOnLedger(ledger.state(), job.studyId, openId(openOf(job))) !== undefined)
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
    const { validUntil, head } = openOf(job);
    return validUntil > this.#options.clock.now() && equalBytes(head, this.#headOf(job) ?? new Uint8Array(0));
  }

  async #signOpen(job: FetchJob): Promise<Uint8Array> {
    const body: AccessOpen = {
      type: 'access.open',
      ...this.#envelope(job.source),
      studyId: grantOf(job).studyId,
      grantId: idBytes(job.grantId),
      openNo: (this.#options.ledger.state().grant(job.grantId)?.opens ?? 0) + 1,
      head: this.#headOf(job) ?? randomBytes(32),
    };
    const signature = await this.#recognised(job).signer.sign(signingMessage(body));
    // The source signs after it; until then its place is empty.
    return encodeTransaction({ body, signatures: [signature, new Uint8Array(64)] });
  }

  /** The commitment that the grant covers now. */
  #headOf(job: FetchJob): Uint8Array | undefined {
    const state = this.#options.ledger.state();
    return grantOf(job).amendments ? state.study(job.studyId)?.commitment : state.grant(job.grantId)?.head;
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
      reason: `grant ${job.grantId.slice(0, 8)} by the patient`,
      objects: 0,
      bytes: 0,
    });
    const connection = await openPlane(member, this.#stopping.signal);
    let progress = { objects: 0, bytes: 0 };
    try {
      const skip = catalogue.byStudyId(job.studyId)?.objects.length ?? 0;
      const signature = await this.#recognised(job).signer.sign(streamMessage(id, connection.exporter));
      const frames = connection.request(encodeStreamRequest({ openId: id, skip, signature }));
      await receiver.receive(frames, {
        studyId: job.studyId,
        source: job.source,
        commitment: open.head,
        skip,
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
      return await jobs.save({ ...job, state: 'kept' });
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
    const { jobs, catalogue, logger } = this.#options;
    const { signer, tweak } = this.#recognised(job);
    const open = openOf(job);
    const salt = randomBytes(32);
    const body: AccessClose = {
      type: 'access.close',
      ...this.#envelope(job.source),
      studyId: open.studyId,
      openId: idBytes(openId(open)),
      digest: hash('close', salt, open.head),
      sizeBucket: Math.ceil(Math.log2(Math.max(1, catalogue.byStudyId(job.studyId)?.bytes ?? 1))),
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
        signal: this.#stopping.signal,
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

function bodyOf<Type extends TransactionBody['type']>(
  encoded: Uint8Array | null,
  type: Type,
): Extract<TransactionBody, { type: Type }> {
  const decoded = encoded === null ? undefined : decodeTransaction(encoded);
  if (decoded?.kind !== 'transaction' || decoded.transaction.body.type !== type) {
    throw new AppError('STORE_CORRUPT', `A fetch job holds no ${type}.`);
  }
  return decoded.transaction.body as Extract<TransactionBody, { type: Type }>;
}

function granteeSignatureOf(job: FetchJob): Uint8Array {
  const decoded = job.open === null ? undefined : decodeTransaction(job.open);
  const signature = decoded?.kind === 'transaction' ? decoded.transaction.signatures[0] : undefined;
  if (signature === undefined) throw new AppError('STORE_CORRUPT', 'A fetch job holds no signature.');
  return signature;
}

function grantOf(job: FetchJob): AccessGrant {
  return bodyOf(job.grant, 'access.grant');
}

function openOf(job: FetchJob): AccessOpen {
  return bodyOf(job.open, 'access.open');
}

function isSettled({ state }: FetchJob): boolean {
  return state === 'done' || state === 'refused';
}
