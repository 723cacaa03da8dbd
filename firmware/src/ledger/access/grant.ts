/** access.grant: the owner lets one institution open a study; the ledger shows neither which nor why. */
import {
  booleanField,
  boundedBytesField,
  bytesField,
  integerField,
  ShapeError,
  timeField,
} from '../fields.ts';
import { grantId, toStudyId } from '../ids.ts';
import { grantNoteBytesMax, grantOpensMax } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { stateKeys } from '../state-keys.ts';
import { studyRecord } from '../studies/study-record.ts';
import { grantRecord } from './grant-record.ts';
import { counterMax, readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';

export interface AccessGrant extends BodyBase {
  readonly type: 'access.grant';
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** Exactly one more than the study's last grant; the first is 1. */
  readonly seq: number;
  /** K_g: one-time key derived from the grantee institution's account. */
  readonly granteeKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** H("terms", salt ‖ terms). */
  readonly termsHash: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  /** Whether the grant covers versions of the study after the one that stands when it becomes final. */
  readonly amendments: boolean;
  /** Sealed note of fixed size (protocol/grant-note.ts). */
  readonly note: Uint8Array;
}

/** Signed by the study's owner key. Grants of a study come in an unbroken sequence. */
export const accessGrant: TransactionType<AccessGrant> = {
  read(value) {
    const { map, base } = readBody(value, 'access.grant', [
      'studyId',
      'ownerEpoch',
      'seq',
      'granteeKey',
      'ephemeral',
      'tag',
      'termsHash',
      'notBefore',
      'expiry',
      'maxOpens',
      'amendments',
      'note',
    ]);
    const notBefore = timeField(map.notBefore, 'notBefore');
    const expiry = timeField(map.expiry, 'expiry');
    if (expiry <= notBefore) throw new ShapeError('expiry: later than notBefore expected');
    return {
      ...base,
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
      seq: integerField(map.seq, 'seq', 1, counterMax),
      granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      tag: integerField(map.tag, 'tag', 0, 255),
      termsHash: bytesField(map.termsHash, 'termsHash', 32),
      notBefore,
      expiry,
      maxOpens: integerField(map.maxOpens, 'maxOpens', 1, grantOpensMax),
      amendments: booleanField(map.amendments, 'amendments'),
      note: boundedBytesField(map.note, 'note', 1, grantNoteBytesMax),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const studyKey = toStudyId(body.studyId);
    const study = state.study(studyKey);
    if (study === undefined) return 'unknown-study';
    if (body.ownerEpoch !== study.ownerEpoch) return 'wrong-owner-epoch';
    const id = grantId(body);
    if (body.seq <= study.revokedUpTo || state.has(stateKeys.revokedAhead(studyKey, id))) return 'revoked';
    if (body.seq <= study.grantSeq) return 'seq-stale';
    if (body.seq > study.grantSeq + 1) return 'seq-gap';
    if (body.expiry <= context.time) return 'grant-expired';
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
    return state
      .put(grantRecord, stateKeys.grant(id), {
        studyId: body.studyId,
        ownerEpoch: body.ownerEpoch,
        seq: body.seq,
        granteeKey: body.granteeKey,
        notBefore: body.notBefore,
        expiry: body.expiry,
        maxOpens: body.maxOpens,
        amendments: body.amendments,
        head: study.commitment,
        opens: 0,
        grantedAt: context.time,
      })
      .put(studyRecord, stateKeys.study(studyKey), { ...study, grantSeq: body.seq });
  },
};
