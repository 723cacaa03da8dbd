/**
 * A document on its way from one custodian to the next: the replacement of a dead box's keys, with the signatures so far.
 * In JSON, the transaction in hexadecimal; a place without a signature holds zeros.
 */
import { equalBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { decodeTransaction, encodeTransaction, signingMessage } from '../../firmware/src/ledger/index.ts';
import type { Institution, InstitutionReplace, KeyQuorum } from '../../firmware/src/ledger/types.ts';
import { verifyOffline, type OfflineKey } from './key-file.ts';

export interface OfflineDocument {
  readonly body: InstitutionReplace;
  /** One for each of `body.signers`; undefined: not signed yet. */
  readonly signatures: readonly (Uint8Array | undefined)[];
  /** The root that the ledger has now. */
  readonly root: KeyQuorum;
}

const format = 'hilum offline document';
const version = 1;
const unsigned = new Uint8Array(64);

export interface ReplacementOptions {
  /** What the new box wrote when it was enrolled, with the consortium's genesis file. */
  readonly record: Institution;
  /** The consortium's, 32 bytes. */
  readonly chain: Uint8Array;
  /** Of the institution's record on the ledger now. */
  readonly version: number;
  /** The root that the ledger has now. */
  readonly root: KeyQuorum;
  /** Who will sign, by index in that root. */
  readonly signers: readonly number[];
  /** UTC milliseconds. */
  readonly validUntil: number;
}

/** Nobody has signed it yet. @throws AppError DOCUMENT_INVALID if these signers are not enough, or none of the root. */
export function replacement(options: ReplacementOptions): OfflineDocument {
  const { record, chain, version: current, root, validUntil } = options;
  const signers = [...new Set(options.signers)].sort((a, b) => a - b);
  if (signers.some((index) => index >= root.keys.length))
    throw invalid(`The root has ${root.keys.length} keys; a signer is none of them.`);
  if (root.threshold === 0 || signers.length < root.threshold)
    throw invalid(`The root asks for ${root.threshold} signers.`);
  const { id, keys, account, endpoints } = record;
  const body: InstitutionReplace = {
    type: 'institution.replace',
    chain,
    validUntil,
    institution: id,
    version: current + 1,
    signers,
    keys,
    account,
    endpoints,
    root: record.root,
  };
  return { body, signatures: signers.map(() => undefined), root };
}

/** With the signature of this key. @throws AppError DOCUMENT_INVALID if it is not among the signers. */
export function signed(document: OfflineDocument, key: OfflineKey): OfflineDocument {
  const { body, signatures, root } = document;
  const place = body.signers.findIndex((index) => {
    const signer = root.keys[index];
    return signer !== undefined && equalBytes(signer, key.publicKey);
  });
  if (place < 0) throw invalid(`The key ${toHex(key.publicKey)} is not among those that were to sign.`);
  const signature = key.sign(signingMessage(body));
  return { ...document, signatures: signatures.map((other, index) => (index === place ? signature : other)) };
}

/** All signatures of several copies. @throws AppError DOCUMENT_INVALID if they are copies of different documents. */
export function combined(documents: readonly OfflineDocument[]): OfflineDocument {
  const [first, ...others] = documents;
  if (first === undefined) throw invalid('There is no document.');
  const message = signingMessage(first.body);
  for (const { body } of others) {
    if (!equalBytes(signingMessage(body), message)) throw invalid('These are not copies of one document.');
  }
  return {
    ...first,
    signatures: first.signatures.map((_, place) =>
      documents.map(({ signatures }) => signatures[place]).find((one) => one !== undefined),
    ),
  };
}

/** What a member brings to the ledger. @throws AppError DOCUMENT_INVALID naming whose signature is missing. */
export function transactionOf({ body, signatures, root }: OfflineDocument): Uint8Array {
  const missing = body.signers.filter((_, place) => signatures[place] === undefined);
  if (missing.length > 0) {
    const keys = missing.map((index) => toHex(root.keys[index] ?? new Uint8Array()));
    throw invalid(`Not signed yet by ${keys.join(', ')}.`);
  }
  return encodeTransaction({ body, signatures: signatures.map((signature) => signature ?? unsigned) });
}

export function formatDocument({ body, signatures, root }: OfflineDocument): string {
  const transaction = encodeTransaction({ body, signatures: signatures.map((one) => one ?? unsigned) });
  const file = {
    format,
    version,
    transaction: toHex(transaction),
    root: { keys: root.keys.map(toHex), threshold: root.threshold },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Each signature in it is checked. @throws AppError DOCUMENT_INVALID. */
export function parseDocument(text: string): OfflineDocument {
  const { transaction, root } = readFile(text);
  const decoded = decodeTransaction(fromHex(transaction));
  if (decoded.kind === 'refused') throw invalid(`Its transaction is ${decoded.reason}.`);
  const { body, signatures } = decoded.transaction;
  if (body.type !== 'institution.replace') throw invalid(`${body.type} is not signed offline.`);
  const message = signingMessage(body);
  return {
    body,
    root,
    signatures: signatures.map((signature, place) => {
      if (equalBytes(signature, unsigned)) return undefined;
      const key = root.keys[body.signers[place] ?? root.keys.length];
      if (key === undefined || !verifyOffline(key, message, signature))
        throw invalid('A signature in it is wrong.');
      return signature;
    }),
  };
}

function readFile(text: string): { readonly transaction: string; readonly root: KeyQuorum } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('DOCUMENT_INVALID', 'The file is no document to be signed offline.', { cause });
  }
  const file = (value ?? {}) as Readonly<Record<string, unknown>>;
  const { transaction } = file;
  const root = readRoot(file.root);
  const isHex = typeof transaction === 'string' && /^([0-9a-f]{2})+$/.test(transaction);
  if (file.format !== format || file.version !== version || !isHex || root === undefined)
    throw invalid('The file is no document to be signed offline.');
  return { transaction, root };
}

/** A root as JSON: keys in hexadecimal, and how many must sign. Undefined if it is none. */
export function readRoot(value: unknown): KeyQuorum | undefined {
  const { keys, threshold } = (value ?? {}) as { readonly keys?: unknown; readonly threshold?: unknown };
  const areKeys =
    Array.isArray(keys) &&
    keys.every((key): key is string => typeof key === 'string' && /^[0-9a-f]{64}$/.test(key));
  if (!areKeys || typeof threshold !== 'number' || !Number.isInteger(threshold)) return undefined;
  if (threshold < 1 || threshold > keys.length) return undefined;
  return { keys: keys.map(fromHex), threshold };
}

function invalid(message: string): AppError {
  return new AppError('DOCUMENT_INVALID', message);
}
