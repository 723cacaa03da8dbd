/**
 * Reassignment: a study that was registered for the wrong person goes to the right one without the wrong one's signature.
 * Two named persons of the source attest it, both owners are told and may object for `objectionMs`, and only after that
 * it takes effect: study.reassign, study.object, study.reassign.complete.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import { bytesField, integerField, ShapeError } from '../fields.ts';
import { reassignmentId, toStudyId } from '../ids.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { stateKeys } from '../state-keys.ts';
import { counterMax, readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { readSourceAct, sourceAct, type SourceActBody } from './source-act.ts';
import { versionRefusal } from './standing.ts';
import { endedRefusal } from './status.ts';
import { studyRecord } from './study-record.ts';

export interface StudyReassign extends SourceActBody {
  readonly type: 'study.reassign';
  /** One-time key that is to own the study, derived with the study's batch index from a fresh ephemeral key. */
  readonly newOwnerKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** Of the note by which the new owner learns what is about to be theirs. */
  readonly noteHash: Uint8Array;
  /** H("attestations", …) of what the two named persons signed at the source: they stand nowhere on the ledger. */
  readonly attestations: Uint8Array;
}

/** Signed by the source. Access stops until it is complete or somebody objects (`accessRefusal`). */
export const studyReassign: TransactionType<StudyReassign> = {
  read(value) {
    const { map, act } = readSourceAct(value, 'study.reassign', [
      'newOwnerKey',
      'ephemeral',
      'tag',
      'noteHash',
      'attestations',
    ]);
    return {
      ...act,
      newOwnerKey: bytesField(map.newOwnerKey, 'newOwnerKey', 32),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      tag: integerField(map.tag, 'tag', 0, 255),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
      attestations: bytesField(map.attestations, 'attestations', 32),
    };
  },
  signers: () => 1,
  work: () => ({ keys: 1 }),
  apply(state, body, context) {
    const act = sourceAct(state, body, context.time);
    if (typeof act === 'string') return act;
    const { source, id, study, counted } = act;
    const ended = endedRefusal(study);
    if (ended !== undefined) return ended;
    if (study.reassignment !== null) return 'reassignment-pending';
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    if (!isPrimeOrderKey(body.newOwnerKey)) return 'bad-key';
    return counted.put(studyRecord, stateKeys.study(id), {
      ...study,
      actSeq: body.actSeq,
      reassignment: {
        id: reassignmentId(body),
        ownerKey: body.newOwnerKey,
        ephemeral: body.ephemeral,
        tag: body.tag,
        noteHash: body.noteHash,
        effectiveFrom: context.time + state.parameters().objectionMs,
      },
    });
  },
};

export interface StudyObject extends BodyBase {
  readonly type: 'study.object';
  readonly studyId: Uint8Array;
  readonly reassignment: Uint8Array;
  /** Who objects: the one who would lose the study, or the one who would get it. */
  readonly by: 'owner' | 'new-owner';
}

/** Signed by the owner key of the side that objects. Cancels the reassignment, as long as it is not complete. */
export const studyObject: TransactionType<StudyObject> = {
  read(value) {
    const { map, base } = readBody(value, 'study.object', ['studyId', 'reassignment', 'by']);
    if (map.by !== 'owner' && map.by !== 'new-owner') throw new ShapeError('by: owner or new-owner expected');
    return {
      ...base,
      studyId: bytesField(map.studyId, 'studyId', 32),
      reassignment: bytesField(map.reassignment, 'reassignment', 32),
      by: map.by,
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const id = toStudyId(body.studyId);
    const study = state.study(id);
    if (study === undefined) return 'unknown-study';
    const { reassignment } = study;
    if (reassignment === null || !equalBytes(reassignment.id, body.reassignment)) {
      return 'unknown-reassignment';
    }
    const key = body.by === 'owner' ? study.ownerKey : reassignment.ownerKey;
    if (!context.signedBy(key)) return 'bad-signature';
    return state.put(studyRecord, stateKeys.study(id), { ...study, reassignment: null });
  },
};

export interface StudyReassignComplete extends SourceActBody {
  readonly type: 'study.reassign.complete';
  readonly reassignment: Uint8Array;
  /** The study's version of which the note tells: it may have grown meanwhile. */
  readonly version: number;
  /** Of the note under the new owner's key. */
  readonly noteHash: Uint8Array;
}

/** Signed by the source, once the time to object is over. Grants of the owner before end with it. */
export const studyReassignComplete: TransactionType<StudyReassignComplete> = {
  read(value) {
    const { map, act } = readSourceAct(value, 'study.reassign.complete', [
      'reassignment',
      'version',
      'noteHash',
    ]);
    return {
      ...act,
      reassignment: bytesField(map.reassignment, 'reassignment', 32),
      version: integerField(map.version, 'version', 1, counterMax),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const act = sourceAct(state, body, context.time);
    if (typeof act === 'string') return act;
    const { source, id, study, counted } = act;
    const { reassignment } = study;
    if (reassignment === null || !equalBytes(reassignment.id, body.reassignment)) {
      return 'unknown-reassignment';
    }
    const version = versionRefusal(study, body.version);
    if (version !== undefined) return version;
    if (context.time < reassignment.effectiveFrom) return 'time-to-object';
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    return counted.put(studyRecord, stateKeys.study(id), {
      ...study,
      actSeq: body.actSeq,
      ownerKey: reassignment.ownerKey,
      ownerEpoch: study.ownerEpoch + 1,
      ephemeral: reassignment.ephemeral,
      tag: reassignment.tag,
      noteHash: body.noteHash,
      revokedAhead: [],
      reassignment: null,
    });
  },
};
