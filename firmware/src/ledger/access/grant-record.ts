/** What the ledger holds of a grant. */
import { booleanField, bytesField, mapField, timeField } from '../fields.ts';
import { counterField, recordFormat } from '../record-format.ts';

export interface GrantRecord {
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  readonly seq: number;
  readonly granteeKey: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  readonly amendments: boolean;
  /** The study's commitment when the grant became final. */
  readonly head: Uint8Array;
  readonly opens: number;
  readonly grantedAt: number;
}

export const grantRecord = recordFormat<GrantRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'grant', [
      'studyId',
      'ownerEpoch',
      'seq',
      'granteeKey',
      'notBefore',
      'expiry',
      'maxOpens',
      'amendments',
      'head',
      'opens',
      'grantedAt',
    ]);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: counterField(map.ownerEpoch, 'ownerEpoch'),
      seq: counterField(map.seq, 'seq'),
      granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
      notBefore: timeField(map.notBefore, 'notBefore'),
      expiry: timeField(map.expiry, 'expiry'),
      maxOpens: counterField(map.maxOpens, 'maxOpens'),
      amendments: booleanField(map.amendments, 'amendments'),
      head: bytesField(map.head, 'head', 32),
      opens: counterField(map.opens, 'opens'),
      grantedAt: timeField(map.grantedAt, 'grantedAt'),
    };
  },
);
