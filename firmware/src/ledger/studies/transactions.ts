/** The transactions about studies: who owns one, what it holds, whether it may be used. */
import { studyAmend, type StudyAmend } from './amend.ts';
import {
  studyObject,
  studyReassign,
  studyReassignComplete,
  type StudyObject,
  type StudyReassign,
  type StudyReassignComplete,
} from './reassign.ts';
import { studyRegisterBulk, type StudyRegisterBulk } from './register-bulk.ts';
import { studyRegister, type StudyRegister } from './register.ts';
import {
  studyErase,
  studyFreeze,
  studyRescind,
  studyUnfreeze,
  type StudyErase,
  type StudyFreeze,
  type StudyRescind,
  type StudyUnfreeze,
} from './status.ts';
import { studyTransfer, type StudyTransfer } from './transfer.ts';

export type {
  StudyAmend,
  StudyErase,
  StudyFreeze,
  StudyObject,
  StudyReassign,
  StudyReassignComplete,
  StudyRegister,
  StudyRegisterBulk,
  StudyRescind,
  StudyTransfer,
  StudyUnfreeze,
};

export type StudyBody =
  | StudyRegister
  | StudyRegisterBulk
  | StudyAmend
  | StudyTransfer
  | StudyFreeze
  | StudyUnfreeze
  | StudyRescind
  | StudyErase
  | StudyReassign
  | StudyObject
  | StudyReassignComplete;

export const studyTransactions = {
  'study.register': studyRegister,
  'study.registerBulk': studyRegisterBulk,
  'study.amend': studyAmend,
  'study.transfer': studyTransfer,
  'study.freeze': studyFreeze,
  'study.unfreeze': studyUnfreeze,
  'study.rescind': studyRescind,
  'study.erase': studyErase,
  'study.reassign': studyReassign,
  'study.object': studyObject,
  'study.reassign.complete': studyReassignComplete,
} as const;
