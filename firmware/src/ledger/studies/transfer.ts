/** study.transfer: the owner hands a study to another key: claimed from custody, rotated, recovered. Grants end with it. */
import { bytesField, integerField } from '../fields.ts';
import { toStudyId } from '../ids.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { stateKeys } from '../state-keys.ts';
import { counterMax, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { namedStudy, readBodyWithLeaf, type StudyLeaf } from './leaf.ts';
import { ownerEpochRefusal, versionRefusal } from './standing.ts';
import { statusRefusal } from './status.ts';
import { studyRecord } from './study-record.ts';

export interface StudyTransfer extends BodyBase {
  readonly type: 'study.transfer';
  readonly studyId: Uint8Array;
  /** Of the owner who hands it over. */
  readonly ownerEpoch: number;
  /** The study's version of which the note tells. */
  readonly version: number;
  /** One-time key that owns the study afterwards, derived with the study's batch index from a fresh ephemeral key. */
  readonly newOwnerKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  readonly noteHash: Uint8Array;
  readonly leaf?: StudyLeaf;
}

/** Signed by the owner key and by the new one, so that nothing is handed to a key that nobody holds. */
export const studyTransfer: TransactionType<StudyTransfer> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'study.transfer', [
      'studyId',
      'ownerEpoch',
      'version',
      'newOwnerKey',
      'ephemeral',
      'tag',
      'noteHash',
    ]);
    return {
      ...base,
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
      version: integerField(map.version, 'version', 1, counterMax),
      newOwnerKey: bytesField(map.newOwnerKey, 'newOwnerKey', 32),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      tag: integerField(map.tag, 'tag', 0, 255),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
    };
  },
  signers: () => 2,
  work: () => ({ keys: 1 }),
  apply(state, body, context) {
    const id = toStudyId(body.studyId);
    const study = namedStudy(state, id, body.leaf);
    if (typeof study === 'string') return study;
    const refusal =
      ownerEpochRefusal(study, body.ownerEpoch) ??
      versionRefusal(study, body.version) ??
      statusRefusal(study);
    if (refusal !== undefined) return refusal;
    if (!context.signedBy(study.ownerKey, body.newOwnerKey)) return 'bad-signature';
    if (!isPrimeOrderKey(body.newOwnerKey)) return 'bad-key';
    return state.put(studyRecord, stateKeys.study(id), {
      ...study,
      ownerKey: body.newOwnerKey,
      ownerEpoch: study.ownerEpoch + 1,
      ephemeral: body.ephemeral,
      tag: body.tag,
      noteHash: body.noteHash,
      // They were of grants that hold no more.
      revokedAhead: [],
      // Who hands a study over objects to its being given to somebody else.
      reassignment: null,
    });
  },
};
