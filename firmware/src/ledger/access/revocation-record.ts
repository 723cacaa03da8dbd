/** That a grant is revoked. */
import { bytesField, mapField, timeField } from '../fields.ts';
import { recordFormat } from '../record-format.ts';

/** That a grant is revoked: under `revoked/<grant>`, or under `revoked-ahead/<study>/<grant>` before it arrived. */
export interface RevocationRecord {
  readonly studyId: Uint8Array;
  readonly revokedAt: number;
}

export const revocationRecord = recordFormat<RevocationRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'revocation', ['studyId', 'revokedAt']);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      revokedAt: timeField(map.revokedAt, 'revokedAt'),
    };
  },
);
