/**
 * Handing a study to another account: what a transfer or a reassignment holds of its new owner, made by whoever knows the
 * study's note (the source at enrolment or correction, the owner at a rotation), and recognised by the new owner.
 */
import type { StudyReassign, StudyTransfer } from '../ledger/types.ts';
import type { Account } from './accounts.ts';
import { noteHash, sealStudyNote, type StudyNote } from './notes.ts';
import { recogniseOneTime, registerOwner, type OneTimeRecipient, type RecognisedKey } from './owner-keys.ts';

/** Fields of both bodies. */
export type NewOwner = Pick<StudyTransfer | StudyReassign, 'newOwnerKey' | 'ephemeral' | 'tag' | 'noteHash'>;

export interface PreparedOwner extends NewOwner {
  /** For the source's mailbox, once the transfer is final. */
  readonly note: Uint8Array;
  /** Secret: the source keeps it sealed until the study is closed, since amendments need it. */
  readonly prk: Uint8Array;
}

/**
 * `recipient.index` is the study's batch index, also under its new owner. `r`: 32 fresh random bytes for this study
 * alone, which the caller erases. @throws RangeError if the recipient's keys or a field of the note are refused.
 */
export async function prepareOwner(
  recipient: OneTimeRecipient,
  r: Uint8Array,
  commitment: Uint8Array,
  content: StudyNote,
): Promise<PreparedOwner> {
  const { ownerKey, ephemeral, tag, prk } = registerOwner(recipient, r);
  const note = await sealStudyNote(prk, recipient.index, commitment, content);
  return { newOwnerKey: ownerKey, ephemeral, tag, noteHash: noteHash(note), note, prk };
}

/** The means to sign as the new owner, or undefined if the study is not handed to this account. */
export function recogniseNewOwner(
  account: Account,
  body: Pick<StudyTransfer, 'chain' | 'newOwnerKey' | 'ephemeral' | 'tag'>,
  batchIndex: number,
): RecognisedKey | undefined {
  const { chain, newOwnerKey: ownerKey, ephemeral, tag } = body;
  return recogniseOneTime(account, { chain, ephemeral, index: batchIndex, tag, ownerKey });
}
