/** What an administrator may do about DICOM peers. box/ implements it by joining the rooms. */
import type { CallerBody, EchoAnswer, ResendBody } from './dicom-contract.ts';

/** The account that did it, for the audit trail. */
export interface By {
  readonly account: string;
}

/** A refusal names what was wrong in words for the person who asked; nothing was changed then. */
export type Done = { readonly kind: 'done' } | { readonly kind: 'refused'; readonly reason: string };

/** What was asked for is on disk when a promise resolves. @throws AppError STORE_FAILED. */
export interface DicomDesk {
  admitCaller(caller: CallerBody, by: By): Promise<Done>;
  /** Puts another in the place of one that was admitted on the console. */
  replaceCaller(id: string, caller: CallerBody, by: By): Promise<Done>;
  removeCaller(id: string, by: By): Promise<Done>;
  dismissCaller(id: string, by: By): Promise<Done>;
  /** C-ECHO to where a caller is reached; undefined if there is no such caller or it is not known where. */
  echoCaller(id: string, signal: AbortSignal): Promise<EchoAnswer | undefined>;
  releaseFromQuarantine(id: string, by: By): Promise<Done>;
  discardFromQuarantine(id: string, by: By): Promise<Done>;
  /** Of which the archive gave less than it had listed: it is not told any more. */
  acceptIncomplete(studyRef: string, by: By): Promise<Done>;
  /** How many objects; undefined if there is no such destination. */
  resend(destination: string, what: ResendBody, by: By): Promise<number | undefined>;
  giveUp(destination: string, studyRef: string, by: By): Promise<number | undefined>;
  echoDestination(name: string, signal: AbortSignal): Promise<EchoAnswer | undefined>;
}
