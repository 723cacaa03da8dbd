/** Transactions as bytes: canonical CBOR of `{ body, signatures }` (docs/formats.md), read strictly. */
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import {
  booleanField,
  boundedBytesField,
  bytesField,
  decodeStrictly,
  institutionIdField,
  integerField,
  listField,
  mapField,
  ShapeError,
  timeField,
} from './fields.ts';
import { transactionId } from './ids.ts';
import { grantNoteBytesMax, grantOpensMax, registrationEntriesMax, transactionBytesMax } from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';
import type {
  AccessClose,
  AccessGrant,
  AccessOpen,
  AccessRevoke,
  StudyAmend,
  StudyRegister,
  Transaction,
  TransactionBody,
  TransactionId,
} from './types.ts';

export type DecodedTransaction =
  | { readonly kind: 'transaction'; readonly transaction: Transaction; readonly id: TransactionId }
  | DecodeRefusal;

/** Signatures that each type carries, in the order of its signers (docs/formats.md). */
export const signerCounts: Readonly<Record<TransactionBody['type'], number>> = {
  'study.register': 1,
  'study.amend': 1,
  'access.grant': 1,
  'access.revoke': 1,
  'access.open': 2,
  'access.close': 2,
};

const counterMax = Number.MAX_SAFE_INTEGER;

function readRegister(value: CborValue): StudyRegister {
  const map = mapField(value, 'body', [
    'type',
    'chain',
    'validUntil',
    'source',
    'batch',
    'ephemeral',
    'entries',
  ]);
  const entries = listField(map.entries, 'entries', 1, registrationEntriesMax).map((item, index) => {
    const path = `entries[${index}]`;
    const entry = mapField(item, path, ['commitment', 'ownerKey', 'tag', 'noteHash']);
    return {
      commitment: bytesField(entry.commitment, `${path}.commitment`, 32),
      ownerKey: bytesField(entry.ownerKey, `${path}.ownerKey`, 32),
      tag: integerField(entry.tag, `${path}.tag`, 0, 255),
      noteHash: bytesField(entry.noteHash, `${path}.noteHash`, 32),
    };
  });
  return {
    type: 'study.register',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    source: institutionIdField(map.source, 'source'),
    batch: bytesField(map.batch, 'batch', 16),
    ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
    entries,
  };
}

function readAmend(value: CborValue): StudyAmend {
  const map = mapField(value, 'body', [
    'type',
    'chain',
    'validUntil',
    'source',
    'studyId',
    'version',
    'commitment',
    'noteHash',
    'closed',
  ]);
  return {
    type: 'study.amend',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    source: institutionIdField(map.source, 'source'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    version: integerField(map.version, 'version', 2, counterMax),
    commitment: bytesField(map.commitment, 'commitment', 32),
    noteHash: bytesField(map.noteHash, 'noteHash', 32),
    closed: booleanField(map.closed, 'closed'),
  };
}

function readGrant(value: CborValue): AccessGrant {
  const map = mapField(value, 'body', [
    'type',
    'chain',
    'validUntil',
    'studyId',
    'ownerEpoch',
    'seq',
    'granteeKey',
    'ephemeral',
    'tag',
    'termsHash',
    'notBefore',
    'expiry',
    'maxOpens',
    'amendments',
    'note',
  ]);
  const notBefore = timeField(map.notBefore, 'notBefore');
  const expiry = timeField(map.expiry, 'expiry');
  if (expiry <= notBefore) throw new ShapeError('expiry: later than notBefore expected');
  return {
    type: 'access.grant',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
    seq: integerField(map.seq, 'seq', 1, counterMax),
    granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
    ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
    tag: integerField(map.tag, 'tag', 0, 255),
    termsHash: bytesField(map.termsHash, 'termsHash', 32),
    notBefore,
    expiry,
    maxOpens: integerField(map.maxOpens, 'maxOpens', 1, grantOpensMax),
    amendments: booleanField(map.amendments, 'amendments'),
    note: boundedBytesField(map.note, 'note', 1, grantNoteBytesMax),
  };
}

function readRevocationTarget(value: CborValue): AccessRevoke['target'] {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'upTo')) {
    return { upTo: integerField(mapField(value, 'target', ['upTo']).upTo, 'target.upTo', 1, counterMax) };
  }
  return { grantId: bytesField(mapField(value, 'target', ['grantId']).grantId, 'target.grantId', 32) };
}

function readRevoke(value: CborValue): AccessRevoke {
  const map = mapField(value, 'body', ['type', 'chain', 'validUntil', 'studyId', 'ownerEpoch', 'target']);
  return {
    type: 'access.revoke',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
    target: readRevocationTarget(map.target),
  };
}

function readOpen(value: CborValue): AccessOpen {
  const map = mapField(value, 'body', [
    'type',
    'chain',
    'validUntil',
    'source',
    'studyId',
    'grantId',
    'openNo',
    'head',
  ]);
  return {
    type: 'access.open',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    source: institutionIdField(map.source, 'source'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    grantId: bytesField(map.grantId, 'grantId', 32),
    openNo: integerField(map.openNo, 'openNo', 1, grantOpensMax),
    head: bytesField(map.head, 'head', 32),
  };
}

function readClose(value: CborValue): AccessClose {
  const map = mapField(value, 'body', [
    'type',
    'chain',
    'validUntil',
    'source',
    'studyId',
    'openId',
    'digest',
    'sizeBucket',
  ]);
  return {
    type: 'access.close',
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
    source: institutionIdField(map.source, 'source'),
    studyId: bytesField(map.studyId, 'studyId', 32),
    openId: bytesField(map.openId, 'openId', 32),
    digest: bytesField(map.digest, 'digest', 32),
    sizeBucket: integerField(map.sizeBucket, 'sizeBucket', 0, 63),
  };
}

const bodyReaders: {
  readonly [Type in TransactionBody['type']]: (value: CborValue) => Extract<TransactionBody, { type: Type }>;
} = {
  'study.register': readRegister,
  'study.amend': readAmend,
  'access.grant': readGrant,
  'access.revoke': readRevoke,
  'access.open': readOpen,
  'access.close': readClose,
};

function isType(value: CborValue | undefined): value is TransactionBody['type'] {
  return typeof value === 'string' && Object.hasOwn(bodyReaders, value);
}

function readTransaction(value: CborValue): Transaction {
  const map = mapField(value, 'transaction', ['body', 'signatures']);
  if (typeof map.body !== 'object' || map.body === null) throw new ShapeError('body: map expected');
  const type = (map.body as { readonly type?: CborValue }).type;
  if (!isType(type)) throw new ShapeError('type: unknown');
  const count = signerCounts[type];
  return {
    body: bodyReaders[type](map.body),
    signatures: listField(map.signatures, 'signatures', count, count).map((signature, index) =>
      bytesField(signature, `signatures[${index}]`, 64),
    ),
  };
}

/** Strict: the one canonical encoding of a well-formed transaction within the size limit, or a refusal. */
export function decodeTransaction(bytes: Uint8Array): DecodedTransaction {
  const decoded = decodeStrictly(bytes, transactionBytesMax, readTransaction);
  if (decoded.kind === 'refused') return decoded;
  return { kind: 'transaction', transaction: decoded.value, id: transactionId(bytes) };
}

/** Its bytes on the wire and in blocks. The receiver's `decodeTransaction` decides whether they are well-formed. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  return encodeCanonical({ body: { ...transaction.body }, signatures: transaction.signatures });
}

/**
 * What every signer of a transaction signs: lp(type) ‖ lp(chain) ‖ canonical body, lp being a u32 length. Type and
 * chain stand first, so that no signature serves for another type or another chain.
 */
export function signingMessage(body: TransactionBody): Uint8Array {
  return concatBytes(
    lengthPrefixed(utf8(body.type)),
    lengthPrefixed(body.chain),
    encodeCanonical({ ...body }),
  );
}
