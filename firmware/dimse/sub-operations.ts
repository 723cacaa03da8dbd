/** How the C-STORE sub-operations of one C-MOVE or C-GET came out, and the responses that say so (PS3.4 C.4.2, C.4.3). */
import { failedSopInstanceUidsMax } from './limits.ts';
import type { ServiceResponse, SubOperations } from './service.ts';
import { isStored, status } from './status.ts';

const failedSopInstanceUidList = '00080058';

export class SubOperationTally {
  #remaining: number;
  #completed = 0;
  #failed = 0;
  #warning = 0;
  readonly #failedUids: string[] = [];

  constructor(objects: number) {
    this.#remaining = objects;
  }

  /** The status of a C-STORE-RSP; undefined if there was none to be had. */
  count(sopInstanceUid: string, answered: number | undefined): void {
    this.#remaining -= 1;
    if (answered === status.success) {
      this.#completed += 1;
    } else if (answered !== undefined && isStored(answered)) {
      this.#warning += 1;
    } else {
      this.#failed += 1;
      if (this.#failedUids.length < failedSopInstanceUidsMax) this.#failedUids.push(sopInstanceUid);
    }
  }

  get counts(): Required<SubOperations> {
    return {
      remaining: this.#remaining,
      completed: this.#completed,
      failed: this.#failed,
      warning: this.#warning,
    };
  }

  get pending(): ServiceResponse {
    return { status: status.pending, subOperations: this.counts };
  }

  /** After a C-CANCEL; what was not begun is still remaining. */
  get cancelled(): ServiceResponse {
    return { status: status.cancelled, subOperations: this.counts, ...this.#failedList() };
  }

  /** What did not begin by now has failed. Success only if each object was stored without a warning. */
  get final(): ServiceResponse {
    const { completed, failed, warning } = this.counts;
    const nothingStored = failed > 0 && completed + warning === 0;
    const code = nothingStored
      ? status.subOperationsRefused
      : failed + warning > 0
        ? status.subOperationsIncomplete
        : status.success;
    return { status: code, subOperations: { completed, failed, warning }, ...this.#failedList() };
  }

  #failedList(): Pick<ServiceResponse, 'dataSet'> {
    if (this.#failedUids.length === 0) return {};
    return { dataSet: { [failedSopInstanceUidList]: { vr: 'UI', values: this.#failedUids } } };
  }
}
