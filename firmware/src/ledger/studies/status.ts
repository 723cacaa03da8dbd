/**
 * What a study's status forbids, and the transactions that do nothing but set it. A source freezes what it has doubts
 * about, rescinds what should not have been registered (wrong patient, wrong study), erases what must be gone. Data are
 * kept but for erasure; access stops with each.
 */
import type { RuleReason } from '../refusals.ts';
import { statusAct, type SourceActBody } from './source-act.ts';
import type { StudyRecord } from './study-record.ts';

type StatusReason = Extract<RuleReason, 'study-frozen' | 'study-rescinded' | 'study-erased'>;

/** Why nothing is transferred of this study, or undefined if its status permits it. */
export function statusRefusal({ status }: Pick<StudyRecord, 'status'>): StatusReason | undefined {
  return status === 'open' ? undefined : `study-${status}`;
}

/**
 * Why nothing is granted or opened of this study, or undefined. While it is to be reassigned nobody knows whose it is:
 * neither the one who may lose it decides on access, nor yet the one who may get it.
 */
export function accessRefusal(
  study: StudyRecord,
): StatusReason | Extract<RuleReason, 'reassignment-pending'> | undefined {
  return statusRefusal(study) ?? (study.reassignment === null ? undefined : 'reassignment-pending');
}

/** Why nothing but erasure can follow, or undefined: what is frozen may still be corrected. */
export function endedRefusal(study: StudyRecord): StatusReason | undefined {
  return study.status === 'frozen' ? undefined : statusRefusal(study);
}

export interface StudyFreeze extends SourceActBody {
  readonly type: 'study.freeze';
}

/** Signed by the source. */
export const studyFreeze = statusAct<StudyFreeze>(
  'study.freeze',
  (study) => statusRefusal(study) ?? { status: 'frozen' },
);

export interface StudyUnfreeze extends SourceActBody {
  readonly type: 'study.unfreeze';
}

/** Signed by the source. */
export const studyUnfreeze = statusAct<StudyUnfreeze>('study.unfreeze', (study) =>
  study.status === 'frozen' ? { status: 'open' } : 'not-frozen',
);

export interface StudyRescind extends SourceActBody {
  readonly type: 'study.rescind';
}

/** Signed by the source. Not undone: what was rescinded by mistake is registered anew. */
export const studyRescind = statusAct<StudyRescind>(
  'study.rescind',
  (study) => endedRefusal(study) ?? { status: 'rescinded', reassignment: null },
);

export interface StudyErase extends SourceActBody {
  readonly type: 'study.erase';
}

/** Signed by the source, which destroys salt, note and key; every recipient is to do so or to state its legal ground. */
export const studyErase = statusAct<StudyErase>('study.erase', (study) =>
  study.status === 'erased' ? 'study-erased' : { status: 'erased', reassignment: null },
);
