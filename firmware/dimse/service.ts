/**
 * What one SCP serves besides Verification and Storage: a service is a set of SOP classes with one function that
 * performs its operations (PS3.7 clauses 9 and 10). The association knows nothing of queries, commitments or steps.
 */
import type { Permission } from '../src/access/permissions.ts';
import type { StoreOutcome } from '../src/ports.ts';
import type { Command } from './command.ts';
import type { DataSet } from './data-set.ts';
import type { StoredObject } from './association.ts';

/** Who is at the other end of an association. */
export interface Peer {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly remoteAddress: string;
  /** Where it came over TLS. */
  readonly certificate?: PeerCertificate;
}

/** A certificate that was verified. */
export interface PeerCertificate {
  /** SHA-256 of its DER form, in lower-case hexadecimal. */
  readonly sha256: string;
  /** Common Name of its subject, if it has one. */
  readonly commonName?: string;
}

/** The reason of an operation's signal at a C-CANCEL. Thrown on, it is answered with FE00. */
export class OperationCancelled extends Error {
  override readonly name = 'OperationCancelled';
}

/** One request, its data set gathered (at most `identifierBytesMax`) and decoded. */
export interface ServiceOperation {
  readonly peer: Peer;
  readonly command: Command;
  readonly abstractSyntax: string;
  readonly transferSyntaxUid: string;
  /** What the service answered to the requestor's extended negotiation for this SOP class; undefined without any. */
  readonly extendedNegotiation: Uint8Array | undefined;
  readonly dataSet: DataSet | undefined;
  /** The data set as it came, to be forwarded as it is. */
  readonly dataSetBytes: Uint8Array | undefined;
  /** Fires at a C-CANCEL for this operation (OperationCancelled), and when the association ends (AppError). */
  readonly signal: AbortSignal;
  /**
   * Sends a pending response (status FF00, FF01) and waits until the peer takes more.
   * @throws the signal's reason once it has fired.
   */
  pending(response: ServiceResponse): Promise<void>;
  /** Whether there is a context for such an object on which the peer is SCP. */
  takes(object: Pick<StoredObject, 'sopClassUid' | 'transferSyntaxUid'>): boolean;
  /**
   * C-STORE to the peer on this association, for the sub-operations of a C-GET (PS3.4 C.4.3). The data set is in the
   * object's transfer syntax. One at a time. @returns undefined if there is no context for it on which the peer is SCP.
   * @throws the signal's reason once it has fired; AppError if the association ends. A failure of `dataSet` ends the
   * association, since what was begun cannot be taken back.
   */
  store(
    object: StoredObject,
    dataSet: AsyncIterable<Uint8Array>,
    moveOriginator?: { readonly aeTitle: string; readonly messageId: number },
  ): Promise<StoreOutcome | undefined>;
}

/** Elements of a response's command set; those of the request that it repeats are added (PS3.7 9.3, 10.3). */
export interface ServiceResponse {
  readonly status: number;
  readonly comment?: string;
  /** Error ID (0000,0903): what exactly failed, in the terms of the service. */
  readonly errorId?: number;
  readonly dataSet?: DataSet;
  readonly affectedSopInstanceUid?: string;
  /** C-GET and C-MOVE (PS3.4 C.4.2.1.6). */
  readonly subOperations?: SubOperations;
}

export interface SubOperations {
  readonly remaining?: number;
  readonly completed: number;
  readonly failed: number;
  readonly warning: number;
}

export interface DimseService {
  /** Abstract syntaxes of which this box is the SCP (or, for `requestorRole` 'scp', the SCU that is notified). */
  readonly sopClasses: readonly string[];
  /** Role that the association's requestor must play: as SCP it sends N-EVENT-REPORT (storage commitment results). */
  readonly requestorRole: 'scu' | 'scp' | 'either';
  readonly permission: Permission;
  /** SOP Class Extended Negotiation (PS3.7 D.3.3.5): the answer to what a requestor proposed, if there is one. */
  answerExtendedNegotiation?(sopClassUid: string, proposed: Uint8Array): Uint8Array | undefined;
  /**
   * The final response. A failure that is thrown is answered by the error table's DIMSE status, the reason of a C-CANCEL
   * by FE00. Must end soon after the signal has fired: the association's place is taken until then.
   */
  perform(operation: ServiceOperation): Promise<ServiceResponse>;
}
