/** Ids of what stands on the ledger: hashes of what makes each thing the only one of its kind. */
import { fromHex, lengthPrefixed, toHex, u32, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { hash } from '../encoding/hash.ts';
import type { AccessGrant, AccessOpen, ChainId, GrantId, OpenId, StudyId, TransactionId } from './types.ts';

function hexOf32(bytes: Uint8Array): string {
  if (bytes.length !== 32) throw new RangeError(`an id has 32 bytes, not ${bytes.length}`);
  return toHex(bytes);
}

/** @throws RangeError if these are not 32 bytes. */
export function toStudyId(bytes: Uint8Array): StudyId {
  return hexOf32(bytes) as StudyId;
}

/** @throws RangeError if these are not 32 bytes. */
export function toGrantId(bytes: Uint8Array): GrantId {
  return hexOf32(bytes) as GrantId;
}

/** @throws RangeError if these are not 32 bytes. */
export function toOpenId(bytes: Uint8Array): OpenId {
  return hexOf32(bytes) as OpenId;
}

/** The 32 bytes as they stand in transactions. */
export function idBytes(id: StudyId | GrantId | OpenId | TransactionId): Uint8Array {
  return fromHex(id);
}

/** H("study-id", chain ‖ lp(source) ‖ lp(batch) ‖ u32 index): the entry at that index of a registration. */
export function studyId(chain: ChainId, source: string, batch: Uint8Array, index: number): StudyId {
  return toStudyId(hash('study-id', chain, lengthPrefixed(utf8(source)), lengthPrefixed(batch), u32(index)));
}

/** H("grant", canonical body). */
export function grantId(body: AccessGrant): GrantId {
  return toGrantId(hash('grant', encodeCanonical({ ...body })));
}

/** H("open", canonical body). */
export function openId(body: AccessOpen): OpenId {
  return toOpenId(hash('open', encodeCanonical({ ...body })));
}

/** H("transaction", encoded transaction). */
export function transactionId(bytes: Uint8Array): TransactionId {
  return hexOf32(hash('transaction', bytes)) as TransactionId;
}
