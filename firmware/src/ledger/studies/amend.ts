/** study.amend: the source says that a study has grown or was corrected, version by version. */
import { booleanField, bytesField, institutionIdField, integerField } from '../fields.ts';
import { toStudyId } from '../ids.ts';
import { withFirstUse } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { counterMax, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { namedStudy, readBodyWithLeaf, type StudyLeaf } from './leaf.ts';
import { endedRefusal } from './status.ts';
import { studyRecord } from './study-record.ts';

export interface StudyAmend extends BodyBase {
  readonly type: 'study.amend';
  readonly source: string;
  readonly studyId: Uint8Array;
  /** Version of the study after it: exactly one more than before (registration is version 1). */
  readonly version: number;
  readonly commitment: Uint8Array;
  readonly noteHash: Uint8Array;
  /** True when the source holds the study to be complete; a later amendment may open it again. */
  readonly closed: boolean;
  readonly leaf?: StudyLeaf;
}

/** Signed by the source. */
export const studyAmend: TransactionType<StudyAmend> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'study.amend', [
      'source',
      'studyId',
      'version',
      'commitment',
      'noteHash',
      'closed',
    ]);
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      version: integerField(map.version, 'version', 2, counterMax),
      commitment: bytesField(map.commitment, 'commitment', 32),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
      closed: booleanField(map.closed, 'closed'),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const source = signingInstitution(state, body.source, context.time);
    if (typeof source === 'string') return source;
    const id = toStudyId(body.studyId);
    const study = namedStudy(state, id, body.leaf);
    if (typeof study === 'string') return study;
    if (study.source !== body.source) return 'not-the-source';
    const ended = endedRefusal(study);
    if (ended !== undefined) return ended;
    if (body.version <= study.version) return 'version-stale';
    if (body.version > study.version + 1) return 'version-gap';
    const counted = withFirstUse(state, source.id, id);
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    return counted.put(studyRecord, stateKeys.study(id), {
      ...study,
      commitment: body.commitment,
      noteHash: body.noteHash,
      version: body.version,
      closed: body.closed,
      amendedAt: context.time,
    });
  },
};
