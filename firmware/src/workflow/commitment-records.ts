/** A storage commitment as it waits in the box's index: on disk before its request is answered. */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { CommitmentRequest } from '../ports.ts';

export interface StoredCommitment {
  readonly request: CommitmentRequest;
  /** When it was asked for, UTC milliseconds. */
  readonly at: number;
}

export function encodeCommitment({ request, at }: StoredCommitment): Uint8Array {
  const { transactionUid, callingAeTitle, calledAeTitle, instances } = request;
  return encodeCanonical({
    transactionUid,
    callingAeTitle,
    calledAeTitle,
    instances: instances.map(({ sopClassUid, sopInstanceUid }) => [sopClassUid, sopInstanceUid]),
    at,
  });
}

/** What `encodeCommitment` wrote: its authenticity comes from the index's encryption. */
export function decodeCommitment(bytes: Uint8Array): StoredCommitment {
  const { at, instances, ...request } = decodeCanonical(bytes) as unknown as Omit<
    CommitmentRequest,
    'instances'
  > & { readonly at: number; readonly instances: readonly (readonly [string, string])[] };
  return {
    request: {
      ...request,
      instances: instances.map(([sopClassUid, sopInstanceUid]) => ({ sopClassUid, sopInstanceUid })),
    },
    at,
  };
}
