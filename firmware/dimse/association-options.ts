/** What a requestor asks an association for, and what the peer may ask of it meanwhile. */
import type { Clock, StoreSink } from '../src/ports.ts';
import type { DataSet } from './data-set.ts';
import type { AssociateReject, ProposedContext, UserIdentity } from './pdu.ts';
import type { ServiceResponse } from './service.ts';
import type { StoreRequest } from './store-operation.ts';
import type { TlsDestination } from './tls-profile.ts';

export interface AssociationLimits {
  readonly connectMsMax: number;
  readonly associateAnswerMsMax: number;
  readonly responseMsMax: number;
  readonly stallMsMax: number;
  readonly artimMs: number;
}

export interface ProposedService extends Omit<ProposedContext, 'id'> {
  /** Our roles (PS3.7 D.3.3.4); unsaid, we are the SCU. SCP of storage takes the sub-operations of a C-GET. */
  readonly roles?: { readonly scu: boolean; readonly scp: boolean };
}

/** An N-EVENT-REPORT that the peer sends on our association. */
export interface EventReport {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly eventTypeId: number;
  readonly dataSet: DataSet | undefined;
}

export interface AssociationOptions {
  readonly host: string;
  readonly port: number;
  /** Over TLS with mutual authentication; else plain. */
  readonly tls?: TlsDestination;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** At most 128. Of several transfer syntaxes the peer takes one. */
  readonly contexts: readonly ProposedService[];
  /** SOP Class Extended Negotiation (PS3.7 D.3.3.5). */
  readonly extendedNegotiation?: readonly {
    readonly sopClassUid: string;
    readonly information: Uint8Array;
  }[];
  readonly userIdentity?: UserIdentity;
  /** Takes the objects of a C-GET. Without it they are refused. */
  readonly storage?: {
    readonly store: (request: StoreRequest) => StoreSink | Promise<StoreSink>;
    /** A failure of the sink; the peer has been answered with its status. */
    readonly failed: (error: unknown) => void;
  };
  /** Takes N-EVENT-REPORTs. Without it they are refused. */
  readonly eventReport?: (report: EventReport) => Promise<ServiceResponse>;
  readonly clock: Clock;
  /** Aborts the association whenever it fires; what is awaited then rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly limits?: Partial<AssociationLimits>;
}

const rejectReasons: Readonly<Record<string, string>> = {
  '1.2': 'application context name not supported',
  '1.3': 'calling AE title not recognized',
  '1.7': 'called AE title not recognized',
  '2.2': 'protocol version not supported',
  '3.1': 'temporary congestion',
  '3.2': 'local limit exceeded',
};

/** PS3.8 table 9-21 in words. */
export function describeReject({ result, source, reason }: AssociateReject): string {
  const text = rejectReasons[`${source}.${reason}`] ?? 'no reason given';
  return `${text} (${result === 2 ? 'transient' : 'permanent'}; result ${result}, source ${source}, reason ${reason})`;
}
