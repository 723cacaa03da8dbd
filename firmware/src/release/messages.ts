/** What a grantee and a source say to each other over libp2p and the TLS plane: canonical CBOR, read strictly. */
import { concatBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { decodeIfCanonical, isBytes, isCount, mapWith, type CborMap } from '../encoding/cbor-fields.ts';
import { domainPrefix, hash } from '../encoding/hash.ts';
import { chunkBytes, manifestBytesMax, studyInstancesMax } from '../protocol/limits.ts';
import { decodeTransaction, encodeTransaction } from '../ledger/transactions.ts';
import type { AccessClose, AccessOpen } from '../ledger/types.ts';

export const releaseProtocol = '/hilum/release/1';

/** A receipt that the grantee signed with K_g and asks the source to sign and submit. */
export interface ReceiptRequest<Body extends AccessOpen | AccessClose> {
  readonly body: Body;
  /** By K_g over the transaction's signing message. */
  readonly signature: Uint8Array;
  /** t_g: shows that K_g belongs to the member that asks. */
  readonly tweak: Uint8Array;
}

export type AnyReceiptRequest = ReceiptRequest<AccessOpen> | ReceiptRequest<AccessClose>;

/** One refusal for every ground (DESIGN.md, 10). */
export type ReleaseAnswer = { readonly kind: 'recorded' } | { readonly kind: 'refused' };

/** The place of the source's signature, until it signs. */
const unsigned = new Uint8Array(64);

/** The transaction without the source's signature, and the tweak: what the ledger decodes strictly need not be read twice. */
export function encodeReceiptRequest(request: AnyReceiptRequest): Uint8Array {
  const { body, signature, tweak } = request;
  return encodeCanonical({
    transaction: encodeTransaction({ body, signatures: [signature, unsigned] }),
    tweak,
  });
}

function mapOf(bytes: Uint8Array, keys: readonly string[]): CborMap | undefined {
  return mapWith(decodeIfCanonical(bytes), keys);
}

export function decodeReceiptRequest(bytes: Uint8Array): AnyReceiptRequest | undefined {
  const map = mapOf(bytes, ['transaction', 'tweak']);
  const { tweak, transaction } = map ?? {};
  if (!isBytes(tweak, 32) || !(transaction instanceof Uint8Array)) return undefined;
  const decoded = decodeTransaction(transaction);
  if (decoded.kind === 'refused') return undefined;
  const { body, signatures } = decoded.transaction;
  const [signature] = signatures;
  if (signature === undefined) return undefined;
  if (body.type === 'access.open') return { body, signature, tweak };
  return body.type === 'access.close' ? { body, signature, tweak } : undefined;
}

export function encodeReleaseAnswer(answer: ReleaseAnswer): Uint8Array {
  return encodeCanonical({ kind: answer.kind });
}

/** Undefined for an answer that no source sends. */
export function decodeReleaseAnswer(bytes: Uint8Array): ReleaseAnswer | undefined {
  const kind = mapOf(bytes, ['kind'])?.['kind'];
  return kind === 'recorded' || kind === 'refused' ? { kind } : undefined;
}

/** Asks the TLS plane for the bytes under an open: what is held already need not be sent again. */
export interface StreamRequest {
  readonly openId: Uint8Array;
  /** Instances that are held, in the order of the version under which they were taken. */
  readonly skip: number;
  /** `heldDigest` of them: if they are not the first ones of this version, since one was corrected, all are sent. */
  readonly held: Uint8Array;
  /** By K_g over `streamMessage`: bound to this connection, so that it cannot be relayed. */
  readonly signature: Uint8Array;
}

/** Over the keys x_j of the instances that are held: 32 bytes. */
export function heldDigest(keys: readonly Uint8Array[]): Uint8Array {
  return hash('held', ...keys);
}

export function streamMessage(openId: Uint8Array, exporter: Uint8Array): Uint8Array {
  return concatBytes(domainPrefix('plane'), openId, exporter);
}

export function encodeStreamRequest(request: StreamRequest): Uint8Array {
  return encodeCanonical({ ...request });
}

export function decodeStreamRequest(bytes: Uint8Array): StreamRequest | undefined {
  const map = mapOf(bytes, ['openId', 'skip', 'held', 'signature']);
  const { openId, skip, held, signature } = map ?? {};
  if (!isBytes(openId, 32) || !isBytes(held, 32) || !isBytes(signature, 64)) return undefined;
  return isCount(skip, studyInstancesMax) ? { openId, skip, held, signature } : undefined;
}

/** Frames that the largest manifest takes. */
const manifestFramesMax = manifestBytesMax / chunkBytes;

/** First frame of a stream: how many frames of manifest follow before the chunks. */
export function encodeStreamHead(manifestFrames: number): Uint8Array {
  return encodeCanonical({ manifestFrames });
}

export function decodeStreamHead(bytes: Uint8Array): number | undefined {
  const frames = mapOf(bytes, ['manifestFrames'])?.['manifestFrames'];
  return isCount(frames, manifestFramesMax) && frames > 0 ? frames : undefined;
}
