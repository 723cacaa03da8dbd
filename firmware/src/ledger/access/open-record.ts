/** What the ledger holds of a receipt: the open with its number, and where the open with an id stands. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, integerField, mapField, timeField } from '../fields.ts';
import { recordFormat } from '../record-format.ts';

export interface OpenRecord {
  readonly openId: Uint8Array;
  readonly basisId: Uint8Array;
  readonly openNo: number;
  readonly head: Uint8Array;
  readonly openedAt: number;
  readonly closed: { readonly digest: Uint8Array; readonly sizeBucket: number; readonly at: number } | null;
}

/** Where the open with an id stands: under `open-number/<open>`. */
export interface OpenNumberRecord {
  readonly studyId: Uint8Array;
  readonly number: number;
}

function readClosing(value: CborValue): NonNullable<OpenRecord['closed']> {
  const map = mapField(value, 'closed', ['digest', 'sizeBucket', 'at']);
  return {
    digest: bytesField(map.digest, 'closed.digest', 32),
    sizeBucket: integerField(map.sizeBucket, 'closed.sizeBucket', 0, 63),
    at: timeField(map.at, 'closed.at'),
  };
}

export const openRecord = recordFormat<OpenRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'open', ['openId', 'basisId', 'openNo', 'head', 'openedAt', 'closed']);
    return {
      openId: bytesField(map.openId, 'openId', 32),
      basisId: bytesField(map.basisId, 'basisId', 32),
      openNo: integerField(map.openNo, 'openNo', 1, Number.MAX_SAFE_INTEGER),
      head: bytesField(map.head, 'head', 32),
      openedAt: timeField(map.openedAt, 'openedAt'),
      closed: map.closed === null ? null : readClosing(map.closed),
    };
  },
);

export const openNumberRecord = recordFormat<OpenNumberRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'open number', ['studyId', 'number']);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      number: integerField(map.number, 'number', 1, Number.MAX_SAFE_INTEGER),
    };
  },
);
