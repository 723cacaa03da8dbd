/** Ids of what stands on the ledger: hashes of what makes each thing the only one of its kind. */
import { fromHex, lengthPrefixed, toHex, u32, utf8 } from '../encoding/bytes.ts';
import { hash } from '../encoding/hash.ts';
import { encodeBody } from './body-encoding.ts';
import type {
  AccessOpen,
  BasisBody,
  BasisId,
  ChainId,
  OpenId,
  ProposalId,
  StudyId,
  StudyReassign,
  TransactionId,
} from './types.ts';

function hexOf32(bytes: Uint8Array): string {
  if (bytes.length !== 32) throw new RangeError(`an id has 32 bytes, not ${bytes.length}`);
  return toHex(bytes);
}

/** @throws RangeError if these are not 32 bytes. */
export function toStudyId(bytes: Uint8Array): StudyId {
  return hexOf32(bytes) as StudyId;
}

/** @throws RangeError if these are not 32 bytes. */
export function toBasisId(bytes: Uint8Array): BasisId {
  return hexOf32(bytes) as BasisId;
}

/** @throws RangeError if these are not 32 bytes. */
export function toOpenId(bytes: Uint8Array): OpenId {
  return hexOf32(bytes) as OpenId;
}

/** The 32 bytes as they stand in transactions. */
export function idBytes(id: StudyId | BasisId | OpenId | TransactionId | ProposalId): Uint8Array {
  return fromHex(id);
}

/** H("study-id", chain ‖ lp(source) ‖ lp(batch) ‖ u32 index): the entry at that index of a registration. */
export function studyId(chain: ChainId, source: string, batch: Uint8Array, index: number): StudyId {
  return toStudyId(hash('study-id', chain, lengthPrefixed(utf8(source)), lengthPrefixed(batch), u32(index)));
}

const basisDomains = {
  'access.grant': 'grant',
  'access.refer': 'referral',
  'access.emergency': 'emergency',
} as const;

/** H("grant", canonical body); of a referral and an emergency in their own domains. */
export function basisId(body: BasisBody): BasisId {
  return toBasisId(hash(basisDomains[body.type], encodeBody(body)));
}

/** H("reassignment", canonical body). 32 bytes. */
export function reassignmentId(body: StudyReassign): Uint8Array {
  return hash('reassignment', encodeBody(body));
}

/** H("open", canonical body). */
export function openId(body: AccessOpen): OpenId {
  return toOpenId(hash('open', encodeBody(body)));
}

/** H("transaction", encoded transaction). */
export function transactionId(bytes: Uint8Array): TransactionId {
  return hexOf32(hash('transaction', bytes)) as TransactionId;
}
