/**
 * Members ask each other again and again, at times that nobody can foresee: one after the other, since a chip is slow.
 * A member that fails, or is silent for long, is an alarm; where the consortium says so, nothing is released to it.
 */
import { attest, type AskCandidate, type Attestation } from '../attestation/verify.ts';
import { decodeRecord } from '../attestation/judge-record.ts';
import { challengeRandomBytes } from '../attestation/limits.ts';
import type { Expectation, ProvenTpm } from '../attestation/expectation.ts';
import { firstFailure, type CheckName, type Verdict } from '../attestation/verdict.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { CertifiedKeys } from '../ledger/consortium/institution-record.ts';
import type { Clock, HealthBoard, InstitutionId, Logger, Service, Unsubscribe } from '../ports.ts';
import {
  firstAskMsMax,
  intervalSpreadPercent,
  lookMsMax,
  memberAnswerMsMin,
  refusalsMax,
  retryMsMax,
  silentIntervals,
} from './limits.ts';
import type { MemberStanding, Standings } from './standing.ts';

/** What the consortium asks for, as its ledger has it now. */
export interface AttestationRule {
  /** Mean time between two questions to one member. */
  readonly everyMs: number;
  /** Nothing is released to a member that failed, or is silent. */
  readonly suspends: boolean;
}

export interface MemberWatchOptions {
  /** The other members, now. */
  readonly members: () => readonly InstitutionId[];
  readonly rule: () => AttestationRule;
  /** What is known of a member before it is asked, but for what this watch knows itself. */
  readonly expectationOf: (member: InstitutionId, provenTpms: readonly ProvenTpm[]) => Expectation;
  /** As the ledger names it now; undefined of who has just left. */
  readonly keysOf: (member: InstitutionId) => Pick<CertifiedKeys, 'identity' | 'device'> | undefined;
  /** There is a connection to it now. */
  readonly isConnected: (member: InstitutionId) => boolean;
  /** Carries a request to a member. */
  readonly ask: (member: InstitutionId, signal: AbortSignal) => AskCandidate;
  readonly standings: Standings;
  readonly health: HealthBoard;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So many bytes that nobody can foresee. */
  readonly random: (length: number) => Uint8Array;
}

type Judged = Extract<Attestation, { readonly kind: 'judged' }>;

/** Nothing fails but what depends on the record: its keys may have changed between this box's ledger and the answer. */
function mayBeOfAnotherBlock({ checks }: Verdict): boolean {
  const failures = checks.filter(({ passed }) => !passed);
  const ofRecord: readonly CheckName[] = ['record', 'device', 'keys'];
  return failures.length > 0 && failures.every(({ name }) => ofRecord.includes(name));
}

export class MemberWatch implements Service {
  readonly #options: MemberWatchOptions;
  readonly #dueAt = new Map<InstitutionId, number>();
  /** When the last question to each ended, and when each last wanted something: since this box started, milliseconds. */
  readonly #askedAt = new Map<InstitutionId, number>();
  readonly #wantedAt = new Map<InstitutionId, number>();
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: MemberWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#followMembers();
    for (const standing of this.#options.standings.all()) this.#tell(standing);
    this.#running = this.#watch();
  }

  /** Resolves when nobody is being asked any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new AppError('BUSY', 'the box is stopping'));
    await this.#running;
  }

  /** What was found of each member. */
  list(): readonly MemberStanding[] {
    return this.#options.standings.all();
  }

  /** Which member has shown which TPM. */
  provenTpms(): readonly ProvenTpm[] {
    return this.list().flatMap(({ institution, device }) =>
      device === null ? [] : [{ institution, device, endorsementKey: device.endorsementKey }],
    );
  }

  /** True while the consortium's rule keeps releases from this member. */
  suspends(member: InstitutionId): boolean {
    const standing = this.#options.standings.get(member);
    if (standing === undefined || !this.#options.rule().suspends) return false;
    const { result } = standing;
    return (result !== 'unknown' && result !== 'passed') || this.#isReplaced(standing);
  }

  /**
   * The same, asked whenever this member wants a release, and while one is sent to it. It is there then, whatever its
   * connection says when this box has a question: who is asked decides whether there is one, since no question dials.
   */
  suspendsAsker(member: InstitutionId): boolean {
    this.#wantedAt.set(member, this.#options.clock.now());
    return this.suspends(member);
  }

  /** Called when what `list` or `suspends` say may have changed. */
  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof AppError)) throw error;
        // The disk. What was found holds in memory, and the next round meets the disk again.
        logger.error({ code: error.code }, 'the watch over the members failed');
        await this.#sleep(clock, signal);
      }
    }
  }

  /** Asks the member that is due longest, or waits until one is. */
  async #round(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await this.#followMembers();
    const [member, dueAt] = this.#next();
    const wait = Math.min(dueAt - clock.now(), lookMsMax);
    if (member === undefined || wait > 0) return this.#sleep(clock, signal, wait);
    const heard = await this.#askOne(member, signal);
    const { everyMs } = this.#options.rule();
    const meanMs = heard ? everyMs : Math.min(retryMsMax, everyMs / 10);
    this.#dueAt.set(member, clock.now() + this.#drawInterval(meanMs));
  }

  /**
   * Silence lasts from the first question that brought no verdict, also over restarts of this box, and is judged when
   * another one brings none: nobody is silent for the time in which this box did not ask. Who is there and puts this box
   * off, or hangs up, is silent soon: he could wait with his answer until it suits him.
   */
  async #unheard(member: InstitutionId, wasThere: boolean): Promise<void> {
    const { clock, rule, logger, standings } = this.#options;
    const standing = standings.get(member);
    if (standing === undefined) return;
    const now = clock.now();
    const { result } = standing;
    const refusals = standing.refusals + (wasThere ? 1 : 0);
    const silentSince = standing.silentSince ?? now;
    const isLong = now - silentSince > silentIntervals * rule().everyMs || refusals >= refusalsMax;
    const silence = { ...standing, silentSince, refusals };
    if (!isLong || result === 'failed' || result === 'silent') return this.#keep(silence);
    logger.warn({ member, refusals }, 'a member has not attested for long');
    await this.#keep({ ...silence, result: 'silent', since: now });
  }

  async #sleep(clock: Clock, signal: AbortSignal, ms: number = lookMsMax): Promise<void> {
    try {
      await clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #next(): readonly [InstitutionId | undefined, number] {
    let next: readonly [InstitutionId | undefined, number] = [undefined, Number.MAX_SAFE_INTEGER];
    for (const entry of this.#dueAt) if (entry[1] < next[1]) next = entry;
    return next;
  }

  /** From 0 to 1, drawn from 32 random bits. */
  #draw(): number {
    const bytes = this.#options.random(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
  }

  #drawInterval(meanMs: number): number {
    const spread = intervalSpreadPercent / 100;
    return meanMs * (1 - spread + 2 * spread * this.#draw());
  }

  /**
   * What it says is of another box of this institution. The TPM that its record names tells nothing by itself: the record
   * of the next box may be a copy of the last one's, and what signs and connects is then no TPM at all.
   */
  #isReplaced({ institution, device }: MemberStanding): boolean {
    const now = this.#options.keysOf(institution);
    if (device === null || now === undefined) return false;
    return (
      !equalBytes(device.identity, now.identity) ||
      !equalBytes(device.attestationKey, now.device.attestationKey) ||
      !equalBytes(device.endorsement, now.device.endorsement)
    );
  }

  /** Begins with who joined, and forgets who left. */
  async #followMembers(): Promise<void> {
    const { clock, standings, health } = this.#options;
    const members = new Set(this.#options.members());
    const now = clock.now();
    for (const member of members) {
      if (!this.#dueAt.has(member)) {
        const within = Math.min(firstAskMsMax, this.#options.rule().everyMs);
        this.#dueAt.set(member, now + within * this.#draw());
      }
      const known = standings.get(member);
      if (known !== undefined && !this.#isReplaced(known)) continue;
      if (known !== undefined) this.#dueAt.set(member, now);
      await this.#keep({
        institution: member,
        result: known === undefined ? 'unknown' : 'replaced',
        since: now,
        heardAt: now,
        silentSince: null,
        refusals: 0,
        checks: [],
        development: false,
        device: null,
        resetCount: null,
      });
    }
    for (const { institution } of standings.all()) {
      if (members.has(institution)) continue;
      for (const times of [this.#dueAt, this.#askedAt, this.#wantedAt]) times.delete(institution);
      health.clear('ATTESTATION_FAILED', institution);
      health.clear('ATTESTATION_MISSING', institution);
      await standings.forget(institution);
    }
  }

  /** True if there is a verdict. */
  async #askOne(member: InstitutionId, signal: AbortSignal): Promise<boolean> {
    const { clock, isConnected } = this.#options;
    const wasConnected = isConnected(member);
    let judged = await this.#judge(member, signal);
    if (judged !== undefined && mayBeOfAnotherBlock(judged.verdict)) {
      await clock.sleep(memberAnswerMsMin, signal);
      judged = (await this.#judge(member, signal)) ?? judged;
    }
    const wasThere = wasConnected || this.#hasWanted(member);
    this.#askedAt.set(member, clock.now());
    if (judged === undefined) await this.#unheard(member, wasThere);
    else await this.#judged(member, judged);
    return judged !== undefined;
  }

  /** Since the last question to it; each time counts once. */
  #hasWanted(member: InstitutionId): boolean {
    const at = this.#wantedAt.get(member);
    return at !== undefined && at >= (this.#askedAt.get(member) ?? at);
  }

  /** By the ledger as it is now. Undefined if the member does not answer, or not now. */
  async #judge(member: InstitutionId, signal: AbortSignal): Promise<Judged | undefined> {
    const { expectationOf, ask, random, logger } = this.#options;
    const { refusals = 0, resetCount = null } = this.#options.standings.get(member) ?? {};
    const evadedSince = refusals < refusalsMax ? undefined : (resetCount ?? undefined);
    const expectation = { ...expectationOf(member, this.provenTpms()), evadedSince };
    let attestation: Attestation;
    try {
      attestation = await attest(expectation, ask(member, signal), random(challengeRandomBytes));
    } catch (error) {
      signal.throwIfAborted();
      if (!(
        error instanceof AppError &&
        (error.code === 'PEER_UNREACHABLE' || error.code === 'PEER_MISBEHAVED')
      ))
        throw error;
      logger.info({ member, code: error.code }, 'a member could not be asked to attest');
      return undefined;
    }
    if (attestation.kind === 'judged') return attestation;
    logger.info({ member, reason: attestation.reason }, 'a member does not attest now');
    return undefined;
  }

  async #judged(member: InstitutionId, { verdict, record }: Judged): Promise<void> {
    const { standings, clock, logger } = this.#options;
    const before = standings.get(member);
    const now = clock.now();
    const result = verdict.passed ? 'passed' : 'failed';
    const shown = verdict.passed && record !== undefined ? decodeRecord(record) : undefined;
    const { endorsementKey } = verdict;
    const standing: MemberStanding = {
      institution: member,
      result,
      since: before?.result === result ? before.since : now,
      heardAt: now,
      silentSince: null,
      refusals: 0,
      checks: verdict.checks,
      development: verdict.development,
      device:
        shown === undefined || endorsementKey === undefined
          ? null
          : { ...shown.keys.device, identity: shown.keys.identity, endorsementKey },
      resetCount: (shown && verdict.resetCount) ?? null,
    };
    await this.#keep(standing);
    if (before?.result !== result)
      logger[verdict.passed ? 'info' : 'warn'](
        { member, check: firstFailure(verdict)?.name },
        verdict.passed ? 'a member attested' : 'the attestation of a member failed',
      );
  }

  async #keep(standing: MemberStanding): Promise<void> {
    const kept = this.#options.standings.keep(standing);
    this.#tell(standing);
    for (const listener of this.#listeners) listener();
    await kept;
  }

  /** The alarms that a standing calls for, and no others. */
  #tell(standing: MemberStanding): void {
    const { health } = this.#options;
    const { institution, result, checks } = standing;
    if (result === 'failed') {
      const why = checks.find(({ passed }) => !passed)?.finding ?? '';
      health.raise('ATTESTATION_FAILED', institution, why);
    } else health.clear('ATTESTATION_FAILED', institution);
    if (result === 'silent')
      health.raise(
        'ATTESTATION_MISSING',
        institution,
        standing.refusals >= refusalsMax
          ? `It was there, and put off ${standing.refusals} questions in a row.`
          : `It has not attested for ${silentIntervals} intervals.`,
      );
    else health.clear('ATTESTATION_MISSING', institution);
  }
}
