/** References to instances (SOP Instance Reference Macro, PS3.3 10.8) in a Referenced SOP Sequence. */
import type { ReferencedInstance } from '../src/ports.ts';
import type { DataSet } from './data-set.ts';
import { text, textOf } from './data-set-access.ts';
import { isUid } from './uids.ts';

export const referencedSopSequenceTag = '00081199';
const referencedSopClassUidTag = '00081150';
const referencedSopInstanceUidTag = '00081155';

/** The attributes of an item that name the instance. */
export function referenceTo({ sopClassUid, sopInstanceUid }: ReferencedInstance): DataSet {
  return {
    [referencedSopClassUidTag]: text('UI', sopClassUid),
    [referencedSopInstanceUidTag]: text('UI', sopInstanceUid),
  };
}

/** What an item names; undefined if it lacks one of the UIDs, or one is none. */
export function referencedInstance(item: DataSet): ReferencedInstance | undefined {
  const named = namedInstance(item);
  return isUid(named.sopClassUid) && isUid(named.sopInstanceUid) ? named : undefined;
}

/** What an item says, to be compared with what is known; empty where it says nothing. */
export function namedInstance(item: DataSet): ReferencedInstance {
  return {
    sopClassUid: textOf(item, referencedSopClassUidTag) ?? '',
    sopInstanceUid: textOf(item, referencedSopInstanceUidTag) ?? '',
  };
}
