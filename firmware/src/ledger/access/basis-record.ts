/**
 * What the ledger holds of a basis: that on which a study may be opened. A grant of its owner, a referral by its
 * source, or an emergency that a member declared. Opening and closing know no difference.
 */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { booleanField, bytesField, institutionIdField, mapField, ShapeError, timeField } from '../fields.ts';
import { counterField, recordFormat } from '../record-format.ts';

export type BasisKind = 'grant' | 'referral' | 'emergency';

export interface BasisRecord {
  readonly kind: BasisKind;
  readonly studyId: Uint8Array;
  /** The study's when the basis became final: grants and referrals end with it. */
  readonly ownerEpoch: number;
  /** Its number among the grants or among the referrals of the study; 0 for an emergency, which has none. */
  readonly seq: number;
  readonly granteeKey: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  readonly amendments: boolean;
  /** The study's commitment when the basis became final. */
  readonly head: Uint8Array;
  readonly opens: number;
  readonly grantedAt: number;
  /** Of an emergency alone. */
  readonly emergency: EmergencyState | null;
}

export interface EmergencyState {
  /** The member that declared it, for all to see. */
  readonly institution: string;
  /** Block time from which nothing more is opened unless a second clinician confirmed it before. */
  readonly confirmBy: number;
  readonly confirmed: { readonly digest: Uint8Array; readonly at: number } | null;
}

/** Where the basis with a number stands: under `study-basis/<study>/<number>`. */
export interface StudyBasisRecord {
  readonly basisId: Uint8Array;
}

const kinds: readonly BasisKind[] = ['grant', 'referral', 'emergency'];

function kindField(value: CborValue): BasisKind {
  const kind = kinds.find((known) => known === value);
  if (kind === undefined) throw new ShapeError('kind: unknown');
  return kind;
}

function readEmergency(value: CborValue): EmergencyState {
  const map = mapField(value, 'emergency', ['institution', 'confirmBy', 'confirmed']);
  const confirmed =
    map.confirmed === null ? null : mapField(map.confirmed, 'emergency.confirmed', ['digest', 'at']);
  return {
    institution: institutionIdField(map.institution, 'emergency.institution'),
    confirmBy: timeField(map.confirmBy, 'emergency.confirmBy'),
    confirmed: confirmed && {
      digest: bytesField(confirmed.digest, 'emergency.confirmed.digest', 32),
      at: timeField(confirmed.at, 'emergency.confirmed.at'),
    },
  };
}

export const basisRecord = recordFormat<BasisRecord>(
  ({ emergency, ...record }) => ({
    ...record,
    emergency: emergency && { ...emergency, confirmed: emergency.confirmed && { ...emergency.confirmed } },
  }),
  (value) => {
    const map = mapField(value, 'basis', [
      'kind',
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
      'emergency',
    ]);
    return {
      kind: kindField(map.kind),
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
      emergency: map.emergency === null ? null : readEmergency(map.emergency),
    };
  },
);

export const studyBasisRecord = recordFormat<StudyBasisRecord>(
  (record) => ({ ...record }),
  (value) => ({ basisId: bytesField(mapField(value, 'study basis', ['basisId']).basisId, 'basisId', 32) }),
);
