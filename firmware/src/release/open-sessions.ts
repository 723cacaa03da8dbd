/** Opens that this source agreed to: kept before the receipt is sent, so that a stream can be resumed after a restart. */
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { toOpenId } from '../ledger/ids.ts';
import type { LedgerState, OpenId, OpenRecord, StudyId } from '../ledger/types.ts';
import type { InstitutionId, KeyValueStore } from '../ports.ts';

export interface OpenSession {
  readonly openId: Uint8Array;
  readonly grantId: Uint8Array;
  readonly studyId: StudyId;
  readonly institution: InstitutionId;
  /** K_g */
  readonly granteeKey: Uint8Array;
  /** The commitment that is streamed. */
  readonly head: Uint8Array;
}

const prefix = 'open/';

export class OpenSessions {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async get(openId: Uint8Array): Promise<OpenSession | undefined> {
    const value = await this.#store.get(prefix + toOpenId(openId));
    return value === undefined ? undefined : (decodeCanonical(value) as unknown as OpenSession);
  }

  async keep(session: OpenSession): Promise<void> {
    const value = encodeCanonical(session as unknown as CborValue);
    await this.#store.write([{ put: prefix + toOpenId(session.openId), value }]);
  }
}

/** The receipt as it stands on the ledger; the newest opens of a study are looked at first. */
export function openOnLedger(state: LedgerState, studyId: StudyId, openId: OpenId): OpenRecord | undefined {
  for (let number = state.study(studyId)?.opens ?? 0; number > 0; number--) {
    const record = state.open(studyId, number);
    if (record !== undefined && toOpenId(record.openId) === openId) return record;
  }
  return undefined;
}
