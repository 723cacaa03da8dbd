/**
 * Brings kept studies to the ledger: registers at the first object, amends as a study grows, closes it when it is
 * complete; gathers those by reference, which are registered in bulk. What is sent stands in the study's manifest first,
 * so that a crash never derives another key that counts or seals another note. Reception never waits for any of it.
 */
import { equalBytes } from '../encoding/bytes.ts';
import type { ErrorCode } from '../errors.ts';
import { idBytes } from '../ledger/ids.ts';
import { encodeTransaction, signingMessage } from '../ledger/transactions.ts';
import type { StudyAmend, StudyRecord, StudyRegister, TransactionBody } from '../ledger/types.ts';
import type {
  Clock,
  HealthBoard,
  InstitutionId,
  Ledger,
  Logger,
  Service,
  Signer,
  Submitted,
  Timer,
  Unsubscribe,
} from '../ports.ts';
import { noteHash } from '../protocol/notes.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { leafOf, ownRecordOf, studyIdOf } from '../studies/ledger-place.ts';
import type { OwnerDerived, VersionPlanned } from '../studies/manifest.ts';
import { commitmentTo, objectsToCommit } from '../studies/study-commitment.ts';
import { registerInBulk, type BulkOutcome } from './bulk-registration.ts';
import { bulkGatherMs, bulkStudiesMax, registrationRetryMs, transactionValidMs } from './limits.ts';
import { nextRegistrationStep, type StudyProgress, type StudyTiming } from './registration-plan.ts';
import { composeVersion, deriveOwner, newBatch, type OwnerKeys } from './registration-records.ts';

export interface RegistrarOptions extends OwnerKeys {
  readonly catalogue: Catalogue;
  readonly ledger: Ledger;
  readonly signer: Signer;
  readonly timing: StudyTiming;
  readonly steps: StudySteps;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

/** What the modalities' performed procedure steps say of studies. */
export interface StudySteps {
  ofStudy(study: KeptStudy): StudyProgress['steps'];
  /** Called with the Study Instance UID that a step names, when the step changed. */
  onChange(listener: (studyInstanceUid: string) => void): Unsubscribe;
}

const healthCode: ErrorCode = 'TRANSACTION_INVALID';

export class Registrar implements Service {
  readonly #options: RegistrarOptions;
  readonly #working = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, Timer>();
  /** By reference, waiting for more of the kind. */
  readonly #gathered = new Set<KeptStudy>();
  #gathering: Timer | undefined;
  readonly #stopping = new AbortController();
  #unsubscribes: readonly Unsubscribe[] = [];

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    const { catalogue, steps } = this.#options;
    this.#unsubscribes = [
      catalogue.onChange((study) => this.#consider(study)),
      steps.onChange((uid) => {
        for (const study of catalogue.studiesUnder(uid)) this.#consider(study);
      }),
    ];
    for (const study of catalogue.studies()) this.#consider(study);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#stopping.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#gathering?.cancel();
    await Promise.allSettled(this.#working.values());
  }

  /** One step at a time for each study; a change while one is under way is seen when it ends. */
  #consider(study: KeptStudy): void {
    if (!isRegisteredHere(study) || this.#working.has(study.ref)) return;
    if (this.#stopping.signal.aborted) return;
    this.#timers.get(study.ref)?.cancel();
    this.#timers.delete(study.ref);
    const { clock, timing, health } = this.#options;
    const step = nextRegistrationStep(this.#progress(study), timing, clock.now());
    if (step.kind === 'settled' || step.kind === 'wait') health.clear(healthCode, study.ref);
    if (step.kind === 'settled') return;
    if (step.kind === 'wait') {
      this.#later(study, step.until - clock.now());
      return;
    }
    if (step.kind === 'register' && isForBulk(study)) {
      this.#gather(study);
      return;
    }
    const closed = step.kind === 'amend' && step.closed;
    this.#work(
      [study],
      this.#bring(study, closed).then((submitted) => [{ studies: [study], submitted }]),
    );
  }

  /** A moment's studies by reference go to the ledger together. */
  #gather(study: KeptStudy): void {
    this.#gathered.add(study);
    if (this.#gathered.size >= bulkStudiesMax) this.#registerGathered();
    else this.#gathering ??= this.#options.clock.setTimer(bulkGatherMs, () => this.#registerGathered());
  }

  #registerGathered(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    const studies = [...this.#gathered].filter(isForBulk);
    const others = [...this.#gathered].filter((study) => !isForBulk(study));
    this.#gathered.clear();
    const signal = this.#stopping.signal;
    if (studies.length > 0) this.#work(studies, registerInBulk(this.#options, studies, signal));
    // What was pulled meanwhile is registered with its objects.
    for (const study of others) this.#consider(study);
  }

  /** Nobody else works on these studies until it ends. */
  #work(studies: readonly KeptStudy[], bringing: Promise<readonly BulkOutcome[]>): void {
    const { logger } = this.#options;
    const work = bringing
      .then(
        (outcomes) => {
          const settled = new Map<KeptStudy, 'done' | 'again later'>();
          for (const { studies: those, submitted } of outcomes)
            for (const study of those) settled.set(study, this.#settle(study, submitted));
          return settled;
        },
        (error: unknown) => {
          if (this.#stopping.signal.aborted) return undefined;
          logger.error({ study: studies[0]?.ref, studies: studies.length, error }, 'registration failed');
          return new Map<KeptStudy, 'done' | 'again later'>();
        },
      )
      .then((settled) => {
        for (const study of studies) {
          this.#working.delete(study.ref);
          if (settled?.get(study) === 'done') this.#consider(study);
          else if (settled !== undefined) this.#later(study, registrationRetryMs);
        }
      });
    for (const study of studies) this.#working.set(study.ref, work);
  }

  #later(study: KeptStudy, ms: number): void {
    const run = () => this.#consider(study);
    this.#timers.set(study.ref, this.#options.clock.setTimer(Math.max(0, ms), run));
  }

  #progress(study: KeptStudy): StudyProgress {
    const record = this.#onLedger(study);
    // A plan that was sent before a crash can reach the ledger after its number was planned anew: the ledger is right.
    const plan = record && study.plan(record.version, (planned) => equalBytes(planned, record.commitment));
    // A reference counts like one object: it is registered, and what is pulled later is more.
    const reference = study.reference === undefined ? 0 : 1;
    return {
      objects: reference + objectsToCommit(study),
      firstObjectAt: study.openSince,
      lastObjectAt: study.lastObjectAt,
      steps: isAsPulled(study) ? 'complete' : this.#options.steps.ofStudy(study),
      registered: plan && {
        objects: reference + plan.objects,
        // Nothing is to come of a reference until it is pulled.
        closed: record.closed || study.isByReference,
        plannedAt: plan.at,
      },
    };
  }

  #onLedger(study: KeptStudy): StudyRecord | undefined {
    return ownRecordOf(this.#options.ledger.state(), study, this.#options.institution);
  }

  #settle(study: KeptStudy, submitted: Submitted): 'done' | 'again later' {
    const { logger, health, catalogue } = this.#options;
    if (submitted.kind === 'refused') {
      logger.warn({ study: study.ref, reason: submitted.reason }, 'the ledger refused a study');
      health.raise(healthCode, study.ref, `The ledger refused a study: ${submitted.reason}.`);
      return 'again later';
    }
    logger.info(
      { study: study.ref, version: study.latestVersion?.version, height: submitted.height },
      'study on the ledger',
    );
    // Listeners see the new version; `consider` itself still finds this study at work and leaves it alone.
    catalogue.changed(study);
    return 'done';
  }

  async #bring(study: KeptStudy, closed: boolean): Promise<Submitted> {
    const { ledger, signer, clock } = this.#options;
    const record = this.#onLedger(study);
    const owner = await this.#ownerOf(study, record);
    const version = await this.#planVersion(study, owner, (record?.version ?? 0) + 1, closed, clock.now());
    const body = record === undefined ? this.#registration(owner, version) : this.#amendment(study, version);
    const transaction = encodeTransaction({ body, signatures: [signer.sign(signingMessage(body))] });
    return ledger.submit(transaction, this.#stopping.signal);
  }

  /** Of a registration in bulk that never came to be: what was planned for it is no plan for the study by itself. */
  async #ownerOf(study: KeptStudy, record: StudyRecord | undefined): Promise<OwnerDerived> {
    const { owner } = study;
    if (owner !== undefined && (record !== undefined || owner.bulk === undefined)) return owner;
    const batch = newBatch();
    const derived = deriveOwner(this.#options, study, batch, 0);
    batch.r.fill(0);
    await study.append(derived);
    study.studyId = studyIdOf(study, this.#options.chain, this.#options.institution);
    return derived;
  }

  async #planVersion(
    study: KeptStudy,
    owner: OwnerDerived,
    number: number,
    closed: boolean,
    at: number,
  ): Promise<VersionPlanned> {
    const commitment = commitmentTo(study, objectsToCommit(study)).commitment();
    const planned = study.plan(number, (earlier) => equalBytes(earlier, commitment));
    // Sent before a crash: the same bytes again.
    if (planned?.closed === closed) return planned;
    const version = await composeVersion(study, owner, number, { closed, at });
    await study.append(version);
    if (closed) await study.folder.rest();
    return version;
  }

  #registration(owner: OwnerDerived, version: VersionPlanned): StudyRegister {
    return {
      type: 'study.register',
      ...this.#envelope(),
      batch: owner.batch,
      ephemeral: owner.ephemeral,
      entries: [
        {
          commitment: version.commitment,
          ownerKey: owner.ownerKey,
          tag: owner.tag,
          noteHash: noteHash(version.note),
        },
      ],
    };
  }

  #amendment(study: KeptStudy, version: VersionPlanned): StudyAmend {
    if (study.studyId === undefined) throw new Error('an amended study has an id');
    const { ledger, institution } = this.#options;
    const opened = ledger.state().study(study.studyId) !== undefined;
    const leaf = opened ? undefined : leafOf(study, institution);
    return {
      ...(leaf && { leaf }),
      type: 'study.amend',
      ...this.#envelope(),
      studyId: idBytes(study.studyId),
      version: version.version,
      commitment: version.commitment,
      noteHash: noteHash(version.note),
      closed: version.closed,
    };
  }

  #envelope(): Pick<TransactionBody, 'chain' | 'validUntil'> & { readonly source: InstitutionId } {
    const { chain, institution, clock } = this.#options;
    return { chain, validUntil: clock.now() + transactionValidMs, source: institution };
  }
}

/** Of this institution: what was fetched from elsewhere, or routed back of that, is registered there. */
function isRegisteredHere({ created: { origin } }: KeptStudy): boolean {
  return origin.kind === 'modality' || origin.kind === 'referenced';
}

/** Whether nothing came of it since its archive gave all it had. */
function isAsPulled({ pulled, lastObjectAt }: KeptStudy): boolean {
  return pulled !== undefined && lastObjectAt <= pulled.at;
}

/** Of which nothing more comes until it is pulled, and of which no registration by itself was planned before. */
function isForBulk({ isByReference, owner }: KeptStudy): boolean {
  return isByReference && (owner === undefined || owner.bulk !== undefined);
}
