/**
 * Performed procedure steps of the modalities (PS3.4 F.7): on disk before they are answered, sent on where that is
 * configured, and asked when a study is complete.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type {
  Clock,
  KeyValueChange,
  KeyValueStore,
  Logger,
  ProcedureStepAnswer,
  ProcedureStepMessage,
  Unsubscribe,
} from '../ports.ts';
import { endedStepMsMax, openStepMsMax, procedureStepInstancesMax, procedureStepsMax } from './limits.ts';
import { changedStep, createdStep, hasEnded, type ProcedureStep } from './procedure-step.ts';
import type { RelayQueue } from './relay-queue.ts';

export interface ProcedureStepsOptions {
  readonly store: KeyValueStore;
  /** Where messages wait to be sent on; undefined if no destination is configured. */
  readonly relay: RelayQueue | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: ProcedureStepLimits;
}

export interface ProcedureStepLimits {
  readonly procedureStepsMax: number;
  readonly procedureStepInstancesMax: number;
}

/** What the steps of a study say about whether it is complete. */
export type StepsOfStudy =
  /** No step names it, or what they name and what is held differ: they say nothing. */
  | 'unknown'
  /** The modality is still at work. */
  | 'in progress'
  /** All ended; the objects that they name are held, and no others. */
  | 'complete';

/** A study as it is asked about. */
export interface HeldStudy {
  readonly studyInstanceUid: string;
  /** Different SOP Instance UIDs that are held. */
  readonly instanceCount: number;
  holds(sopInstanceUid: string): boolean;
}

interface Remembered {
  readonly key: string;
  /** Without its instances where there is no room for them in memory. */
  readonly step: Omit<ProcedureStep, 'instances'> & { readonly instances: readonly string[] | undefined };
}

const prefix = 'procedure-step/';
const defaultLimits: ProcedureStepLimits = { procedureStepsMax, procedureStepInstancesMax };

export class ProcedureSteps {
  readonly #options: ProcedureStepsOptions;
  /** By SOP Instance UID, the one that changed longest ago first. */
  readonly #steps = new Map<string, Remembered>();
  readonly #byStudy = new Map<string, Set<string>>();
  readonly #listeners = new Set<(studyInstanceUid: string) => void>();
  #instances = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ProcedureStepsOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const found: (readonly [string, ProcedureStep])[] = [];
    for await (const [key, value] of this.#options.store.list(prefix))
      found.push([key, decodeCanonical(value) as unknown as ProcedureStep]);
    for (const [key, step] of found.toSorted(([, a], [, b]) => a.at - b.at)) this.#remember(key, step);
  }

  get size(): number {
    return this.#steps.size;
  }

  /** Called with the study's UID when a step of it was created or changed. */
  onChange(listener: (studyInstanceUid: string) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One message after the other, so that two of one step cannot pass each other. @throws AppError STORE_FAILED. */
  async take(message: ProcedureStepMessage): Promise<ProcedureStepAnswer> {
    const taken = Promise.allSettled([this.#turn]).then(() => this.#takeNext(message));
    this.#turn = taken;
    return taken;
  }

  ofStudy(study: HeldStudy): StepsOfStudy {
    const named = [...(this.#byStudy.get(study.studyInstanceUid) ?? [])];
    const steps = named.flatMap((uid) => this.#steps.get(uid)?.step ?? []);
    if (steps.length === 0) return 'unknown';
    if (steps.some((step) => !hasEnded(step))) return 'in progress';
    const instances = new Set<string>();
    for (const step of steps) {
      // A step that names several studies does not say which object belongs to which.
      if (step.instances === undefined || step.studies.length > 1) return 'unknown';
      for (const uid of step.instances) instances.add(uid);
    }
    // Equally many, and all of these held: no others are held. The count comes first, since objects arrive one by one.
    if (instances.size === 0 || instances.size !== study.instanceCount) return 'unknown';
    return [...instances].every((uid) => study.holds(uid)) ? 'complete' : 'unknown';
  }

  async #takeNext(message: ProcedureStepMessage): Promise<ProcedureStepAnswer> {
    const { clock, logger } = this.#options;
    const { kind, callingAeTitle, sopInstanceUid, dataSet } = message;
    const known = this.#steps.get(sopInstanceUid);
    const at = clock.now();
    let step: ProcedureStep | ProcedureStepAnswer;
    if (kind === 'create') {
      step = known === undefined ? createdStep({ sopInstanceUid, callingAeTitle, at, dataSet }) : 'duplicate';
    } else {
      step = known === undefined ? 'unknown' : changedStep(await this.#whole(known), { dataSet, at });
    }
    const answer = typeof step === 'string' ? step : await this.#keep(known?.key, step, message);
    logger.info({ callingAeTitle, message: kind, answer }, 'procedure step');
    return answer;
  }

  /** Its record: what has no place in memory stands there. */
  async #whole({ key, step }: Remembered): Promise<ProcedureStep> {
    const { instances } = step;
    if (instances !== undefined) return { ...step, instances };
    const value = await this.#options.store.get(key);
    return value === undefined
      ? { ...step, instances: [] }
      : (decodeCanonical(value) as unknown as ProcedureStep);
  }

  /** The step, and its message to be sent on, in one write. */
  async #keep(
    known: string | undefined,
    step: ProcedureStep,
    message: ProcedureStepMessage,
  ): Promise<ProcedureStepAnswer> {
    const { store, relay, limits = defaultLimits } = this.#options;
    const more = known === undefined ? 1 : 0;
    const forgotten = this.#outdated(step.at, more).filter((each) => each.key !== known);
    if (this.#steps.size - forgotten.length + more > limits.procedureStepsMax) return 'full';
    const key = known ?? prefix + toHex(randomBytes(16));
    const relayed = relay?.add(message);
    if (relayed === 'full') return 'full';
    const changes: KeyValueChange[] = [
      { put: key, value: encodeCanonical({ ...step }) },
      ...forgotten.map((each) => ({ delete: each.key })),
      ...(relayed === undefined ? [] : [relayed.change]),
    ];
    try {
      await store.write(changes);
    } catch (error) {
      relayed?.withdraw();
      throw error;
    }
    relayed?.written();
    for (const each of forgotten) this.#forget(each.step.sopInstanceUid);
    this.#remember(key, step);
    for (const study of step.studies) for (const listener of this.#listeners) listener(study);
    return 'done';
  }

  /** Steps whose time is over; and if there is no room for so many more, those that ended longest ago. */
  #outdated(now: number, more: number): readonly Remembered[] {
    const { procedureStepsMax: max } = this.#options.limits ?? defaultLimits;
    const outdated: Remembered[] = [];
    const tooMany = this.#steps.size + more - max;
    for (const remembered of this.#steps.values()) {
      const { step } = remembered;
      const isOver = now - step.at > (hasEnded(step) ? endedStepMsMax : openStepMsMax);
      if (isOver || (hasEnded(step) && outdated.length < tooMany)) outdated.push(remembered);
      // In the order of their last change: the rest is younger.
      else if (now - step.at <= endedStepMsMax && outdated.length >= tooMany) break;
    }
    return outdated;
  }

  #remember(key: string, step: ProcedureStep): void {
    const { procedureStepInstancesMax: max } = this.#options.limits ?? defaultLimits;
    this.#forget(step.sopInstanceUid);
    const fits = this.#instances + step.instances.length <= max;
    if (fits) this.#instances += step.instances.length;
    this.#steps.set(step.sopInstanceUid, {
      key,
      step: { ...step, instances: fits ? step.instances : undefined },
    });
    for (const study of step.studies) {
      const steps = this.#byStudy.get(study) ?? new Set();
      this.#byStudy.set(study, steps.add(step.sopInstanceUid));
    }
  }

  #forget(sopInstanceUid: string): void {
    const remembered = this.#steps.get(sopInstanceUid);
    if (remembered === undefined) return;
    this.#steps.delete(sopInstanceUid);
    this.#instances -= remembered.step.instances?.length ?? 0;
    for (const study of remembered.step.studies) {
      const steps = this.#byStudy.get(study);
      steps?.delete(sopInstanceUid);
      if (steps?.size === 0) this.#byStudy.delete(study);
    }
  }
}
