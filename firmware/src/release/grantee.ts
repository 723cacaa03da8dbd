/**
 * The grantee's side of a release: recognises its grants, referrals to it and its own emergencies in final blocks, and sees each through (fetch-steps.ts), one
 * at a time for each grant, a few at a time in all, again until it is settled.
 */
import { setMaxListeners } from 'node:events';
import { basisId, toStudyId } from '../ledger/ids.ts';
import { encodeTransaction } from '../ledger/transactions.ts';
import { isBasis } from '../ledger/access/transactions.ts';
import type { BasisBody, BasisId, StudyId } from '../ledger/types.ts';
import type { FinalBlock, InstitutionId, Service } from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { openGrantNote } from '../protocol/grant-note.ts';
import { recogniseGrant } from '../protocol/grants.ts';
import { isSettled } from './fetch-job-contents.ts';
import type { FetchJob } from './fetch-jobs.ts';
import { FetchSteps, type FetchStepsOptions } from './fetch-steps.ts';
import { isFresh } from './admission.ts';
import { fetchesAtOnceMax, refusalsMax } from './limits.ts';
import { StudyTurns } from './study-turns.ts';
import { Turns } from './turns.ts';

export type GranteeOptions = FetchStepsOptions;

export type AskOutcome = { readonly kind: 'kept'; readonly objects: number } | { readonly kind: 'refused' };

export class Grantee implements Service {
  readonly #options: GranteeOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<BasisId, Promise<void>>();
  /** Ends the trying again of a grant, after the try that is under way. */
  readonly #patience = new Map<BasisId, AbortController>();
  readonly #asked = new Map<BasisId, Promise<AskOutcome>>();
  readonly #turns = new Turns(fetchesAtOnceMax);
  readonly #studyTurns = new StudyTurns();
  readonly #steps: FetchSteps;
  #scanning: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;

  constructor(options: GranteeOptions) {
    this.#options = options;
    // Every job waits on this one signal.
    setMaxListeners(0, this.#stopping.signal);
    this.#steps = new FetchSteps(options, this.#stopping.signal);
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
    const known = this.#options.jobs.ofStudy(studyId);
    if (known?.source === source) {
      // Several who ask at the same time share one open: a grant has few.
      const asked =
        this.#asked.get(known.grantId) ??
        this.#askAgain(known).finally(() => {
          this.#asked.delete(known.grantId);
          this.#goOn(known.grantId);
        });
      this.#asked.set(known.grantId, asked);
      return asked;
    }
    return this.#steps.knock(source, studyId);
  }

  async #askAgain(known: FetchJob): Promise<AskOutcome> {
    const { jobs, catalogue } = this.#options;
    // Whoever asks waits for a try that is under way, never for the pause before the next.
    this.#patience.get(known.grantId)?.abort();
    await this.#running.get(known.grantId);
    const advance = async (): Promise<void> => {
      const current = jobs.get(known.grantId) ?? known;
      // A receipt that is final and not closed is used on: else it could never be closed.
      const open = current.state === 'refused' ? current.open : null;
      if (isSettled(current)) await jobs.save({ ...current, state: 'granted', open, reason: '' });
      await this.#advance(current);
    };
    await this.#occupy(known.grantId, advance());
    if (jobs.get(known.grantId)?.state === 'refused') return { kind: 'refused' };
    return { kind: 'kept', objects: catalogue.byStudyId(known.studyId)?.objects.length ?? 0 };
  }

  /** Whether what is held of a fetched study is all that its newest grant covers. */
  isWhole(studyId: StudyId): boolean {
    const job = this.#options.jobs.ofStudy(studyId);
    return job !== undefined && (job.state === 'kept' || job.state === 'done') && this.#steps.tookHead(job);
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
    const { height } = final.block.header;
    for (const [place, { body, signatures }] of final.transactions.entries()) {
      if (isBasis(body)) {
        const job = await this.#jobOf(body, signatures, { height, place });
        if (job !== undefined) found.push(job);
      } else if (body.type === 'study.amend') {
        const job = this.#options.jobs.ofStudy(toStudyId(body.studyId));
        if (job?.state === 'done' && this.#steps.isBehind(job))
          found.push({ ...job, state: 'granted', open: null });
      }
    }
    return found;
  }

  async #jobOf(
    body: BasisBody,
    signatures: readonly Uint8Array[],
    finalAt: FetchJob['finalAt'],
  ): Promise<FetchJob | undefined> {
    const { account, ledger, logger } = this.#options;
    if (recogniseGrant(account, body) === undefined) return undefined;
    const studyId = toStudyId(body.studyId);
    const note = await openGrantNote(body, 'grantee', account.viewKey);
    const source = ledger.state().study(studyId)?.source;
    if (note === undefined || source === undefined || note.source !== source) {
      logger.warn({ grant: basisId(body) }, 'a grant to this institution cannot be opened');
      return undefined;
    }
    logger.info({ grant: basisId(body), source }, 'grant recognised');
    return {
      grantId: basisId(body),
      studyId,
      source,
      grant: encodeTransaction({ body, signatures }),
      finalAt,
      patientAccount: note.terms.patientAtGrantee,
      state: 'granted',
      open: null,
      sizeBucket: null,
      reason: '',
    };
  }

  // --- one job ---

  #run(job: FetchJob): void {
    if (isSettled(job) || this.#running.has(job.grantId) || this.#stopping.signal.aborted) return;
    void this.#occupy(job.grantId, this.#untilSettled(job));
  }

  /** One at a time for each grant. What a block brought meanwhile is taken up afterwards. */
  #occupy(id: BasisId, work: Promise<void>): Promise<void> {
    const running = work.finally(() => {
      this.#running.delete(id);
      if (!this.#asked.has(id)) this.#goOn(id);
    });
    this.#running.set(id, running);
    return running;
  }

  #goOn(id: BasisId): void {
    const job = this.#options.jobs.get(id);
    if (job !== undefined) this.#run(job);
  }

  async #untilSettled(job: FetchJob): Promise<void> {
    const { clock, jobs, ledger, logger } = this.#options;
    const patience = new AbortController();
    this.#patience.set(job.grantId, patience);
    const over = AbortSignal.any([this.#stopping.signal, patience.signal]);
    let refusals = 0;
    for (let failures = 0; !over.aborted; failures++) {
      try {
        const after = await this.#advance(job);
        if (after.state !== 'refused' || !this.#stands(job) || refusals === refusalsMax) return;
        // A source that was down is behind for a while, and refuses what it has not seen yet. While the ledger stands
        // still every source refuses everything.
        if (isFresh({ now: clock.now(), head: ledger.head() })) refusals += 1;
        await jobs.save({ ...after, state: 'granted' });
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        logger.warn(
          { grant: job.grantId, source: job.source, error },
          'fetching failed, will be tried again',
        );
      }
      await clock.sleep(retryPauseMs(failures), over).catch(() => 'over');
    }
  }

  /** As the job stands when its turn comes: first that of its study, so that one who waits for it holds up no other. */
  #advance(job: FetchJob): Promise<FetchJob> {
    const { jobs } = this.#options;
    return this.#studyTurns.take(job.studyId, () =>
      this.#turns.take(() => this.#steps.advance(jobs.get(job.grantId) ?? job)),
    );
  }

  /** Whether the source should release, as this box knows the ledger. */
  #stands({ grantId }: FetchJob): boolean {
    const { ledger, clock } = this.#options;
    return ledger.state().basisRefusal(grantId, clock.now()) === undefined;
  }
}
