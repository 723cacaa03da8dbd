/**
 * Brings kept studies to the ledger: registers at the first object, amends as a study grows, closes it when it is
 * complete. What is sent stands in the study's manifest first, so that a crash never derives another key or seals
 * another note. Reception never waits for any of it.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../encoding/bytes.ts';
import type { ErrorCode } from '../errors.ts';
import { idBytes, studyId } from '../ledger/ids.ts';
import { encodeTransaction, signingMessage } from '../ledger/transactions.ts';
import type {
  ChainId,
  StudyAmend,
  StudyId,
  StudyRecord,
  StudyRegister,
  TransactionBody,
} from '../ledger/types.ts';
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
import { deriveAccount } from '../protocol/accounts.ts';
import { clipNoteText, noteHash, sealStudyNote } from '../protocol/notes.ts';
import { registerOwner } from '../protocol/owner-keys.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { OwnerDerived, VersionPlanned } from '../studies/manifest.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { commitmentTo, objectsToCommit } from '../studies/study-commitment.ts';
import { registrationRetryMs, transactionValidMs } from './limits.ts';
import { nextRegistrationStep, type StudyProgress, type StudyTiming } from './registration-plan.ts';

export interface WalletAddress {
  readonly spend: Uint8Array;
  readonly view: Uint8Array;
}

export interface RegistrarOptions {
  readonly catalogue: Catalogue;
  readonly ledger: Ledger;
  readonly chain: ChainId;
  readonly institution: InstitutionId;
  readonly signer: Signer;
  /** The wallet that reception bound to this patient; without one the box holds the study in custody. */
  readonly walletOf: (patient: LocalPatient) => WalletAddress | undefined;
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

/** Each study is registered in a batch of its own for now, so its index is 0. */
const batchIndex = 0;
const healthCode: ErrorCode = 'TRANSACTION_INVALID';

export class Registrar implements Service {
  readonly #options: RegistrarOptions;
  readonly #working = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, Timer>();
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
    await Promise.allSettled(this.#working.values());
  }

  /** One step at a time for each study; a change while one is under way is seen when it ends. */
  #consider(study: KeptStudy): void {
    if (!isRegisteredHere(study) || this.#working.has(study.ref)) return;
    if (this.#stopping.signal.aborted) return;
    this.#timers.get(study.ref)?.cancel();
    this.#timers.delete(study.ref);
    const { clock, timing, logger, health } = this.#options;
    const step = nextRegistrationStep(this.#progress(study), timing, clock.now());
    if (step.kind === 'settled' || step.kind === 'wait') health.clear(healthCode, study.ref);
    if (step.kind === 'settled') return;
    if (step.kind === 'wait') {
      this.#later(study, step.until - clock.now());
      return;
    }
    const work = this.#bring(study, step.kind === 'amend' && step.closed)
      .then(
        (submitted) => this.#settle(study, submitted),
        (error: unknown) => {
          if (this.#stopping.signal.aborted) return 'stopped' as const;
          logger.error({ study: study.ref, error }, 'registration failed');
          return 'again later' as const;
        },
      )
      .then((outcome) => {
        this.#working.delete(study.ref);
        if (outcome === 'done') this.#consider(study);
        else if (outcome === 'again later') this.#later(study, registrationRetryMs);
      });
    this.#working.set(study.ref, work);
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
    return study.studyId === undefined ? undefined : this.#options.ledger.state().study(study.studyId);
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
    const owner = study.owner ?? (await this.#deriveOwner(study));
    const record = this.#onLedger(study);
    const version = await this.#planVersion(study, owner, (record?.version ?? 0) + 1, closed);
    const { ledger, signer } = this.#options;
    const body = record === undefined ? this.#registration(owner, version) : this.#amendment(study, version);
    const transaction = encodeTransaction({ body, signatures: [signer.sign(signingMessage(body))] });
    return ledger.submit(transaction, this.#stopping.signal);
  }

  async #deriveOwner(study: KeptStudy): Promise<OwnerDerived> {
    const { chain, institution, walletOf } = this.#options;
    const wallet = walletOf(study.created.patient);
    const custodySeed = wallet === undefined ? randomBytes(32) : new Uint8Array(0);
    const address = wallet ?? this.#custodyAddress(custodySeed);
    const r = randomBytes(32);
    const derived = registerOwner({ chain, institution, ...address, index: batchIndex }, r);
    r.fill(0);
    const owner: OwnerDerived = {
      is: 'owner',
      batch: randomBytes(16),
      ...derived,
      account: address.spend,
      custodySeed,
    };
    await study.append(owner);
    study.studyId = studyId(chain, institution, owner.batch, batchIndex);
    return owner;
  }

  #custodyAddress(seed: Uint8Array): WalletAddress {
    const account = deriveAccount(seed, this.#options.institution);
    return { spend: account.spend.publicKey, view: account.view };
  }

  async #planVersion(
    study: KeptStudy,
    owner: OwnerDerived,
    number: number,
    closed: boolean,
  ): Promise<VersionPlanned> {
    const objects = objectsToCommit(study);
    const committed = commitmentTo(study, objects);
    const commitment = committed.commitment();
    const planned = study.plan(number, (earlier) => equalBytes(earlier, commitment));
    // Sent before a crash: the same bytes again.
    if (planned?.closed === closed) return planned;
    const reference = objects === 0 ? study.reference : undefined;
    const version: VersionPlanned = {
      is: 'version',
      version: number,
      objects,
      commitment,
      note:
        study.noteFor((earlier) => equalBytes(earlier, commitment)) ??
        (await sealStudyNote(owner.prk, batchIndex, commitment, {
          salt: study.created.salt,
          kind: reference === undefined ? 'imaging-study' : 'imaging-study-by-reference',
          studyInstanceUid: study.created.studyInstanceUid,
          date: clipNoteText(study.created.date),
          modalities: [
            ...new Set(
              reference?.modalities ??
                study.newest.map((object) => clipNoteText(object.header.modality ?? '')),
            ),
          ].slice(0, 16),
          description: clipNoteText(study.created.description),
          instances: reference?.instances ?? committed.instances.length,
          bytes: reference === undefined ? committed.bytes : 0,
        })),
      closed,
      at: this.#options.clock.now(),
    };
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
    return {
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

/** The ledger's id of a kept study, from its manifest. */
export function studyIdOf(study: KeptStudy, chain: ChainId, institution: InstitutionId): StudyId | undefined {
  const { origin } = study.created;
  if (origin.kind === 'fetched') return origin.studyId;
  return study.owner === undefined ? undefined : studyId(chain, institution, study.owner.batch, batchIndex);
}
