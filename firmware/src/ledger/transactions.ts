/** Transactions as bytes: canonical CBOR of `{ body, signatures }` (docs/formats.md), read strictly. */
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { bodyValue, encodeBody } from './body-encoding.ts';
import { bytesField, decodeStrictly, listField, mapField, ShapeError, tooLarge } from './fields.ts';
import { transactionId } from './ids.ts';
import { transactionBytesMax, transactionItemsMax } from './limits.ts';
import { RecentlyDecoded } from './recently-decoded.ts';
import type { DecodeRefusal } from './refusals.ts';
import { isTransactionType, transactionType } from './transaction-types.ts';
import type { Transaction, TransactionBody, TransactionId } from './types.ts';

export type DecodedTransaction =
  | { readonly kind: 'transaction'; readonly transaction: Transaction; readonly id: TransactionId }
  | DecodeRefusal;

/** Signatures that a transaction with this body carries. */
export function signerCount(body: TransactionBody): number {
  return transactionType(body.type).signers(body);
}

function readTransaction(value: CborValue): Transaction {
  const map = mapField(value, 'transaction', ['body', 'signatures']);
  if (typeof map.body !== 'object' || map.body === null) throw new ShapeError('body: map expected');
  const { type } = map.body as { readonly type?: CborValue };
  if (!isTransactionType(type)) throw new ShapeError('type: unknown');
  const body = transactionType(type).read(map.body);
  const count = signerCount(body);
  return {
    body,
    signatures: listField(map.signatures, 'signatures', count, count).map((signature, index) =>
      bytesField(signature, `signatures[${index}]`, 64),
    ),
  };
}

const extent = { bytesMax: transactionBytesMax, itemsMax: transactionItemsMax };

const recent = new RecentlyDecoded();

/**
 * Strict: the one canonical encoding of a well-formed transaction within the size limit, or a refusal. Who decodes the
 * same bytes again may get the same object: it must not be changed.
 */
export function decodeTransaction(bytes: Uint8Array): DecodedTransaction {
  // The refusal of what is too long costs nothing: it is not hashed.
  if (bytes.length > transactionBytesMax) return tooLarge(bytes, transactionBytesMax);
  const id = transactionId(bytes);
  const known = recent.get(id);
  if (known !== undefined) return { kind: 'transaction', transaction: known, id };
  const decoded = decodeStrictly(bytes, extent, readTransaction);
  if (decoded.kind === 'refused') return decoded;
  recent.add(id, decoded.value, bytes.length);
  return { kind: 'transaction', transaction: decoded.value, id };
}

/** Its bytes on the wire and in blocks. The receiver's `decodeTransaction` decides whether they are well-formed. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  return encodeCanonical({ body: bodyValue(transaction.body), signatures: transaction.signatures });
}

/**
 * What every signer of a transaction signs, but for types that name another message: lp(type) ‖ lp(chain) ‖ canonical
 * body, lp being a u32 length. Type and chain stand first, so that no signature serves for another type or chain.
 */
export function signingMessage(body: TransactionBody): Uint8Array {
  const { message } = transactionType(body.type);
  if (message !== undefined) return message(body);
  return concatBytes(lengthPrefixed(utf8(body.type)), lengthPrefixed(body.chain), encodeBody(body));
}
