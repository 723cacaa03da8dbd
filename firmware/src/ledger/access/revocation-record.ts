/** That a basis was taken back. */
import { bytesField, mapField, timeField } from '../fields.ts';
import { recordFormat } from '../record-format.ts';

/** That a basis which stood is revoked: under `revoked/<basis>`. What had not arrived stands in the study's record. */
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
