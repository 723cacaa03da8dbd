/**
 * Delivers fetched studies to the hospital's PACS by C-STORE, under the local patient ID. The queue is on disk; a PACS
 * that is down is tried again until it takes everything. Nothing else waits for it.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { StudyId } from '../ledger/types.ts';
import type {
  Clock,
  HealthBoard,
  KeyValueStore,
  Logger,
  PatientCoercion,
  Reconcile,
  Service,
  StorageAssociation,
  StorageContext,
  StorageScu,
  Unsubscribe,
} from '../ports.ts';
import { parseInstancePrefix } from '../protocol/instance-prefix.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import { samePerson, type LocalPatient } from '../studies/patient-identity.ts';
import { contextsPerAssociationMax } from './limits.ts';
import { retryPauseMs } from './retry.ts';

export interface DeliveryOptions {
  readonly pacs: StorageScu;
  readonly reconcile: Reconcile;
  /** The local patient whose wallet has this account here. */
  readonly patientOf: (account: Uint8Array) => LocalPatient | undefined;
  readonly catalogue: Catalogue;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export interface DeliveryStatus {
  readonly state: 'waiting' | 'delivered' | 'failed';
  readonly at: number;
}

/** How far a study has come: objects from the first on that the PACS has taken. */
interface Delivery {
  readonly studyId: StudyId;
  readonly delivered: number;
  readonly patientAccount: Uint8Array | null;
  readonly status: DeliveryStatus;
}

const prefix = 'delivery/';

export class PacsDelivery implements Service {
  readonly #options: DeliveryOptions;
  readonly #deliveries = new Map<StudyId, Delivery>();
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<() => void>();
  #working: Promise<void> | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #pause = new AbortController();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for await (const [, value] of this.#options.store.list(prefix)) {
      const delivery = decodeCanonical(value) as unknown as Delivery;
      this.#deliveries.set(delivery.studyId, delivery);
    }
    this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#working;
  }

  get pacsName(): string {
    return this.#options.pacs.name;
  }

  statusOf(studyId: StudyId): DeliveryStatus | undefined {
    return this.#deliveries.get(studyId)?.status;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** On disk when it resolves. Objects that were delivered before are not sent again. */
  async enqueue(studyId: StudyId, patientAccount: Uint8Array | null): Promise<void> {
    await this.#change(studyId, { patientAccount, status: this.#status('waiting') });
    this.#pause.abort();
    this.#work();
  }

  #work(): void {
    this.#working ??= this.#deliverAll().finally(() => {
      this.#working = undefined;
      // What was enqueued after the last look.
      if (this.#next() !== undefined && !this.#stopping.signal.aborted) this.#work();
    });
  }

  /** What was not tried yet comes first, then what failed longest ago: a study that is refused holds up no other. */
  #next(): Delivery | undefined {
    const rank = ({ status }: Delivery): number => (status.state === 'waiting' ? 0 : 1);
    return [...this.#deliveries.values()]
      .filter(({ status }) => status.state !== 'delivered')
      .sort((a, b) => rank(a) - rank(b) || a.status.at - b.status.at)[0];
  }

  async #deliverAll(): Promise<void> {
    const { logger, pacs } = this.#options;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      const next = this.#next();
      if (next === undefined) return;
      try {
        await this.#deliver(next);
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        logger.warn({ pacs: pacs.name, error }, 'delivery failed, will be tried again');
        await this.#failed(next, error);
        if (this.#next()?.status.state === 'waiting') continue;
        await this.#rest(retryPauseMs(failures));
        failures += 1;
      }
    }
  }

  async #failed({ studyId }: Delivery, cause: unknown): Promise<void> {
    const { health, logger, pacs } = this.#options;
    health.raise(
      'DELIVERY_FAILED',
      pacs.name,
      cause instanceof AppError ? cause.message : 'a fault of this box',
    );
    try {
      await this.#change(studyId, { status: this.#status('failed') });
    } catch (error) {
      // Nothing is lost: on disk it still waits.
      logger.error({ pacs: pacs.name, error }, 'the state of a delivery cannot be written');
    }
  }

  /** Until the time is over, or something new is there to be delivered. */
  async #rest(ms: number): Promise<void> {
    this.#pause = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, this.#pause.signal]);
    await this.#options.clock.sleep(ms, signal).catch(() => 'woken');
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { catalogue, health, pacs, logger } = this.#options;
    const { studyId } = delivery;
    const study = catalogue.byStudyId(studyId);
    if (study === undefined)
      throw new AppError('STORE_CORRUPT', 'A study that waits for delivery is not held.');
    let { delivered } = delivery;
    while (delivered < study.objects.length) {
      const batch = nextBatch(study.objects.slice(delivered));
      const association = await pacs.open(batch.contexts, this.#stopping.signal);
      try {
        for (const object of batch.objects) {
          await this.#store(association, study, object, delivery);
          delivered += 1;
        }
        await association.release();
      } catch (error) {
        await association.abort();
        throw error;
      } finally {
        await this.#change(studyId, { delivered });
      }
    }
    await this.#change(studyId, { status: this.#status('delivered') });
    const failing = [...this.#deliveries.values()].some(({ status }) => status.state === 'failed');
    if (!failing) health.clear('DELIVERY_FAILED', pacs.name);
    logger.info({ study: study.ref, pacs: pacs.name, objects: delivered }, 'study delivered');
  }

  async #store(
    association: StorageAssociation,
    study: KeptStudy,
    object: ObjectKept,
    delivery: Delivery,
  ): Promise<void> {
    const { pacs, reconcile, logger } = this.#options;
    if (!association.accepts(object)) {
      // Nothing to try again: the PACS cannot take this kind of object as it is.
      logger.warn(
        { study: study.ref, sopClass: object.sopClassUid, transferSyntax: object.transferSyntaxUid },
        'PACS refuses',
      );
      throw new AppError(
        'DELIVERY_FAILED',
        `${pacs.name} accepts no ${object.sopClassUid} in transfer syntax ${object.transferSyntaxUid}`,
      );
    }
    const dataSet = reconcile(
      dataSetOf(study, object),
      object.transferSyntaxUid,
      this.#coercion(study, delivery),
    );
    const status = await association.store(object, dataSet);
    // 0xB000 to 0xBFFF are warnings: the object was stored (PS3.4, table B.2-1).
    if (status !== 0 && status >> 12 !== 0xb) {
      throw new AppError(
        'DELIVERY_FAILED',
        `${pacs.name} answered C-STORE with status 0x${status.toString(16)}`,
      );
    }
  }

  /**
   * The local patient ID if the patient's wallet is bound here and the demographics agree. Otherwise the foreign ID
   * stays, with the source as its issuer, so that it cannot be taken for a local one.
   */
  #coercion(study: KeptStudy, delivery: Delivery): PatientCoercion {
    const { patientOf, clock } = this.#options;
    const { origin, patient } = study.created;
    const source = origin.kind === 'fetched' ? origin.source : '';
    const local = delivery.patientAccount === null ? undefined : patientOf(delivery.patientAccount);
    const at = clock.now();
    if (local !== undefined && samePerson(local, patient)) {
      return { patientId: local.patientId, issuer: local.issuer, source, at };
    }
    return {
      patientId: patient.patientId,
      issuer: patient.issuer === '' ? source : patient.issuer,
      source,
      at,
    };
  }

  #status(state: DeliveryStatus['state']): DeliveryStatus {
    return { state, at: this.#options.clock.now() };
  }

  /** Known at once, on disk when it resolves. One write after the other, so that the last one stands. */
  async #change(studyId: StudyId, change: Partial<Omit<Delivery, 'studyId'>>): Promise<void> {
    const unknown = { studyId, delivered: 0, patientAccount: null, status: this.#status('waiting') };
    const delivery: Delivery = { ...(this.#deliveries.get(studyId) ?? unknown), ...change };
    this.#deliveries.set(studyId, delivery);
    const value = encodeCanonical({ ...delivery, status: { ...delivery.status } });
    const written = this.#writing.then(() => this.#options.store.write([{ put: prefix + studyId, value }]));
    this.#writing = Promise.allSettled([written]);
    await written;
    for (const listener of this.#listeners) listener();
  }
}

/** As many objects, in order, as one association can carry presentation contexts for. */
function nextBatch(objects: readonly ObjectKept[]): {
  readonly objects: readonly ObjectKept[];
  readonly contexts: readonly StorageContext[];
} {
  const contexts = new Map<string, StorageContext>();
  let taken = 0;
  for (const { sopClassUid, transferSyntaxUid } of objects) {
    const key = `${sopClassUid} ${transferSyntaxUid}`;
    if (!contexts.has(key) && contexts.size === contextsPerAssociationMax) break;
    contexts.set(key, { sopClassUid, transferSyntaxUid });
    taken += 1;
  }
  return { objects: objects.slice(0, taken), contexts: [...contexts.values()] };
}

/** The data set as it was received, from disk, verified segment by segment. */
async function* dataSetOf(study: KeptStudy, object: ObjectKept): AsyncIterable<Uint8Array> {
  const reader = await study.folder.openObject(KeptStudy.stored(object));
  try {
    for (let index = 0; index < reader.segmentCount; index++) {
      const segment = await reader.segment(index);
      if (index > 0) {
        yield segment;
        continue;
      }
      const begin = parseInstancePrefix(segment);
      if (begin === undefined)
        throw new AppError('STORE_CORRUPT', `An object of study ${study.ref} has no identity.`);
      yield segment.subarray(begin.dataSetOffset);
    }
  } finally {
    await reader.close();
  }
}
