/**
 * One object on its way in: into its study, or, if it turns out to have no place there, into quarantine. What was gathered
 * of it until then is handed over, so that the sender need not know.
 */
import { AppError, errorTable } from '../errors.ts';
import type { DataSetHeader, StoreOutcome, StoreSink } from '../ports.ts';
import type { ObjectReception, Received } from '../studies/object-reception.ts';
import type { Quarantine, QuarantineIntake } from './quarantine.ts';
import type { Quarantined, QuarantineReason } from './quarantined.ts';

/** What was found out about an object before it had a place. */
export class Finding {
  header: DataSetHeader = {};
  reason: QuarantineReason = 'unreadable';
}

export interface ArrivalOptions {
  readonly reception: ObjectReception;
  readonly finding: Finding;
  readonly quarantine: Quarantine;
  readonly describe: (reason: QuarantineReason, detail: string, header: DataSetHeader) => Quarantined;
  /** It was received, or repeated what is held. */
  readonly received: (received: Received) => void;
}

/** Statuses of what is kept but has no place: the sender is to know that it made it wrongly (PS3.4 B.2.3). */
const answered: Readonly<Record<QuarantineReason, number>> = {
  unreadable: errorTable.OBJECT_UNREADABLE.dimse,
  'without UIDs': errorTable.OBJECT_MISMATCH.dimse,
  'other UID than requested': errorTable.OBJECT_MISMATCH.dimse,
  'other pixels': 0x0000,
  'other attributes': 0x0000,
  'not comparable': 0x0000,
  'corrected too often': 0x0000,
  'in another study': 0x0000,
};

export class Arrival implements StoreSink {
  readonly #options: ArrivalOptions;
  #diverted: { readonly intake: QuarantineIntake; readonly detail: string } | undefined;

  constructor(options: ArrivalOptions) {
    this.#options = options;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#diverted !== undefined) return this.#diverted.intake.write(chunk);
    let written: Promise<void> | undefined;
    try {
      written = this.#options.reception.write(chunk);
    } catch (error) {
      return this.#divert(error);
    }
    return written?.catch((error: unknown) => this.#divert(error));
  }

  async finish(): Promise<StoreOutcome> {
    try {
      return await this.#finish();
    } catch (error) {
      // A sink whose `finish` failed is not aborted any more.
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.#options.reception.abort();
    await this.#diverted?.intake.abort();
  }

  async #finish(): Promise<StoreOutcome> {
    const { reception, received } = this.#options;
    if (this.#diverted === undefined) {
      try {
        const kept = await reception.finish();
        received(kept);
        return { status: 0x0000, ...(kept.outcome === 'repeated' && { wasHeld: true }) };
      } catch (error) {
        await this.#divert(error);
      }
    }
    return this.#finishDiverted();
  }

  async #finishDiverted(): Promise<StoreOutcome> {
    const { finding, describe } = this.#options;
    if (this.#diverted === undefined) throw new Error('an object is diverted before it is finished there');
    const { intake, detail } = this.#diverted;
    await intake.finish(describe(finding.reason, detail, finding.header));
    const status = answered[finding.reason];
    return status === 0x0000 ? { status } : { status, comment: `quarantined: ${finding.reason}` };
  }

  /** Goes on into quarantine if the object is at fault. @throws the error, if something else is, or there is no room. */
  async #divert(error: unknown): Promise<void> {
    const { reception, finding, quarantine } = this.#options;
    if (!(error instanceof AppError)) throw error;
    if (error.code !== 'OBJECT_UNREADABLE' && error.code !== 'OBJECT_MISMATCH') throw error;
    try {
      const detail = finding.reason === 'unreadable' ? error.message.replace(/\.$/, '') : '';
      this.#diverted = { intake: await quarantine.begin(), detail };
      for (const chunk of reception.takeGathered()) await this.#diverted.intake.write(chunk);
      // Its header is not looked at any more.
      await reception.abort();
    } catch (failure) {
      // Without room there it is refused as it would have been, unless it was not at fault.
      const isFull = failure instanceof AppError && failure.code === 'QUARANTINE_FULL';
      throw isFull && answered[finding.reason] !== 0x0000 ? error : failure;
    }
  }
}
