/**
 * An emergency: a member opens a study of the person on the table without anybody's permission. Which member stands on
 * the ledger for all to see, why is sealed. One clinician declares it (access.emergency); unless a second one confirms
 * it in time (access.confirm), nothing more is opened; and it expires by itself.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import { boundedBytesField, bytesField, institutionIdField, integerField } from '../fields.ts';
import { basisId, toBasisId, toStudyId } from '../ids.ts';
import { emergencyOpensMax, grantNoteBytesMax } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { withRecords } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { namedStudy, readBodyWithLeaf, type StudyLeaf } from '../studies/leaf.ts';
import { accessRefusal } from '../studies/status.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { basisRecord } from './basis-record.ts';
import { withBasis } from './basis.ts';
import { withEmergency } from './emergency-count.ts';

/** The basis, its number, the count of the study, and the study itself if it was registered in bulk and not used before. */
const recordsOfEmergency = 4;

export interface AccessEmergency extends BodyBase {
  readonly type: 'access.emergency';
  /** The member that opens the study. */
  readonly institution: string;
  readonly studyId: Uint8Array;
  /** K_g: one-time key derived from the member's own account. */
  readonly granteeKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** H("terms", salt ‖ terms): the reason and the first clinician. */
  readonly termsHash: Uint8Array;
  /** Sealed note of fixed size (protocol/grant-note.ts). */
  readonly note: Uint8Array;
  readonly leaf?: StudyLeaf;
}

/**
 * Signed by the member. Nothing of it depends on what others do at the same time, so that it is never held up; it is
 * numbered among the study's bases, so that its owner sees it whatever boxes show.
 */
export const accessEmergency: TransactionType<AccessEmergency> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'access.emergency', [
      'institution',
      'studyId',
      'granteeKey',
      'ephemeral',
      'tag',
      'termsHash',
      'note',
    ]);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      tag: integerField(map.tag, 'tag', 0, 255),
      termsHash: bytesField(map.termsHash, 'termsHash', 32),
      note: boundedBytesField(map.note, 'note', 1, grantNoteBytesMax),
    };
  },
  signers: () => 1,
  work: () => ({ keys: 1, records: 4 }),
  apply(state, body, context) {
    const member = signingInstitution(state, body.institution, context.time);
    if (typeof member === 'string') return member;
    const studyKey = toStudyId(body.studyId);
    const study = namedStudy(state, studyKey, body.leaf);
    if (typeof study === 'string') return study;
    const id = basisId(body);
    if (state.basis(id) !== undefined) return 'basis-exists';
    const status = accessRefusal(study);
    if (status !== undefined) return status;
    const ofStudy = withEmergency(state, studyKey, member.id, context.time);
    if (typeof ofStudy === 'string') return ofStudy;
    const counted = withRecords(ofStudy, member.id, { emergencies: recordsOfEmergency });
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(member.keys.transaction)) return 'bad-signature';
    if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
    const { emergencyMs, confirmMs } = state.parameters();
    return withBasis(counted, id, study, {
      kind: 'emergency',
      studyId: body.studyId,
      ownerEpoch: study.ownerEpoch,
      seq: 0,
      granteeKey: body.granteeKey,
      notBefore: context.time,
      expiry: context.time + emergencyMs,
      maxOpens: emergencyOpensMax,
      amendments: true,
      head: study.commitment,
      opens: 0,
      grantedAt: context.time,
      emergency: {
        institution: body.institution,
        confirmBy: context.time + confirmMs,
        confirmed: null,
      },
    });
  },
};

export interface AccessConfirm extends BodyBase {
  readonly type: 'access.confirm';
  readonly institution: string;
  readonly studyId: Uint8Array;
  readonly basisId: Uint8Array;
  /** H("confirmation", …): commitment to the second clinician's statement, which the member keeps. */
  readonly digest: Uint8Array;
}

/** Signed by the member that declared the emergency, in time. */
export const accessConfirm: TransactionType<AccessConfirm> = {
  read(value) {
    const { map, base } = readBody(value, 'access.confirm', ['institution', 'studyId', 'basisId', 'digest']);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      basisId: bytesField(map.basisId, 'basisId', 32),
      digest: bytesField(map.digest, 'digest', 32),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const member = signingInstitution(state, body.institution, context.time);
    if (typeof member === 'string') return member;
    const id = toBasisId(body.basisId);
    const basis = state.basis(id);
    if (basis === undefined) return 'unknown-basis';
    if (!equalBytes(basis.studyId, body.studyId)) return 'wrong-study';
    const { emergency } = basis;
    if (emergency === null) return 'no-emergency';
    if (emergency.institution !== body.institution) return 'not-the-grantee';
    if (emergency.confirmed !== null) return 'already-confirmed';
    if (context.time >= emergency.confirmBy) return 'emergency-unconfirmed';
    if (!context.signedBy(member.keys.transaction)) return 'bad-signature';
    return state.put(basisRecord, stateKeys.basis(id), {
      ...basis,
      emergency: { ...emergency, confirmed: { digest: body.digest, at: context.time } },
    });
  },
};
