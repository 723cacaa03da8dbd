/** What the upper layer tells its service user: indications and confirmations of PS3.8 clause 7, and how long to wait. */
import type { Clock } from '../src/ports.ts';
import type { Fragment } from './pdu-reader.ts';
import type { Abort, AssociateAccept, AssociateReject, AssociateRequest } from './pdu.ts';

/** Why an association ended otherwise than by release. */
export type AbortIndication =
  /** The peer's A-ABORT PDU. */
  | { readonly kind: 'peer'; readonly abort: Abort }
  /** The peer broke the protocol; we sent this A-ABORT. */
  | { readonly kind: 'provider'; readonly abort: Abort; readonly detail: string }
  /** Nothing came for too long; we sent an A-ABORT. */
  | { readonly kind: 'silence' }
  /** It dawdled in the midst of a message; we sent an A-ABORT. */
  | { readonly kind: 'slow' }
  /** The transport connection closed; `cause` is the socket's error, if any. */
  | { readonly kind: 'closed'; readonly cause?: Error };

/** The service user. A promise returned by an indication holds back further reading from the peer. */
export interface UpperLayerUser {
  associateIndication(request: AssociateRequest): Promise<void> | undefined;
  associateConfirmation(answer: AssociateAccept | AssociateReject): void;
  dataIndication(fragment: Fragment): Promise<void> | undefined;
  releaseIndication(): void;
  releaseConfirmation(): void;
  /** At most once, and nothing after it. */
  abortIndication(indication: AbortIndication): void;
  /**
   * Working on what was received, or an indication, failed in a way that nobody foresaw: a defect of ours. The association
   * is being aborted, and no other indication follows.
   */
  defectIndication(error: unknown): void;
  /** True in the midst of a message: silence is then a stall. */
  midMessage(): boolean;
  /** True while the peer waits for us: its silence is not counted. */
  atWork(): boolean;
}

export interface UpperLayerOptions {
  readonly role: 'acceptor' | 'requestor';
  /** Asked when an A-ASSOCIATE-RQ of so many bytes is whole: when it may be decoded; undefined for at once. */
  readonly mayDecode?: (bytes: number) => Promise<void> | undefined;
  readonly clock: Clock;
  readonly artimMs: number;
  /** Silence of the peer between messages and within one; nothing is counted while we hold back reading. */
  /** Undefined for a requestor: the peer has no reason to speak first, and answers are awaited by the user. */
  readonly idleMsMax: number | undefined;
  readonly stallMsMax: number;
  /** What is announced to the peer and held. */
  readonly pduBytesMax: number;
}

/** For errors and logs. */
export function describeAbort(indication: AbortIndication): string {
  switch (indication.kind) {
    case 'peer':
      return `A-ABORT by the peer, source ${indication.abort.source}, reason ${indication.abort.reason}`;
    case 'provider':
      return `the peer broke the protocol: ${indication.detail}`;
    case 'silence':
      return 'the peer was silent for too long';
    case 'slow':
      return 'the peer sent a message too slowly';
    case 'closed':
      return indication.cause === undefined
        ? 'the peer closed the connection'
        : `connection lost: ${indication.cause.message}`;
  }
}
