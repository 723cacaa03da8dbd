/**
 * What it costs a box to check a transaction that it has never seen, at most, in units of 0.1 ms on the processor of
 * docs/scale.md: a leader may fill its block with such. Figures there, and `blockWorkMax` for what follows from them.
 */
import { transactionType } from './transaction-types.ts';
import { mayApplyLater, type RuleReason } from './refusals.ts';
import type { TransactionBody } from './types.ts';

/** An Ed25519 signature by a key that was not met before. */
const signatureWork = 2;
/** The order of a point (public-keys.ts). */
const keyWork = 4;
/** A signature by an identity key, P-256. */
const identityWork = 25;
/** A record of the state with its path, and its part of the new root. */
const recordWork = 5;
/** So many entries of a tree are hashed, or of a list read and written, for one unit. */
const entriesOfUnit = 20;

/** What a type costs besides its signatures and one record. */
export interface ExtraWork {
  readonly signatures?: number;
  readonly keys?: number;
  readonly identitySignatures?: number;
  readonly records?: number;
  /** Entries of a Merkle tree, or of a list in one record. */
  readonly entries?: number;
}

/** Units that this transaction takes of a block's `blockWorkMax`. */
export function transactionWork(body: TransactionBody): number {
  const type = transactionType(body.type);
  const {
    signatures = 0,
    keys = 0,
    identitySignatures = 0,
    records = 0,
    entries = 0,
  } = type.work?.(body) ?? {};
  // The leaf of a study that was registered in bulk: its owner key is judged at its first use, and its path is hashed.
  const leafKeys = 'leaf' in body && body.leaf !== undefined ? 1 : 0;
  // The batch's record is read; and at a first use by the source, what it has made so far is written.
  const leafRecords = 2 * leafKeys;
  return (
    signatureWork * (type.signers(body) + signatures) +
    keyWork * (keys + leafKeys) +
    identityWork * identitySignatures +
    recordWork * (1 + records + leafRecords) +
    Math.ceil(entries / entriesOfUnit)
  );
}

/** Found out last, when all else was judged. */
const dearReasons: ReadonlySet<RuleReason> = new Set<RuleReason>([
  'bad-key',
  'bad-possession',
  'bad-certificate',
  'no-evidence',
]);

/**
 * Units that it took to find that this transaction does not apply, for this reason: what is cheap to find is asked first,
 * and what may apply later is found before anything is hashed or checked that it brings, but for a source's revocation of
 * what has not come (access/revoke.ts).
 */
export function refusalWork(body: TransactionBody, reason: RuleReason): number {
  if (dearReasons.has(reason)) return transactionWork(body);
  const type = transactionType(body.type);
  const { signatures = 0, records = 0, entries = 0 } = type.work?.(body) ?? {};
  const signed = signatureWork * (type.signers(body) + signatures);
  if (mayApplyLater(reason))
    return body.type === 'access.revoke' && reason === 'unknown-basis' ? 1 + signed : 1;
  const lookups = 1 + Math.ceil((records + entries) / entriesOfUnit);
  return reason === 'bad-signature' ? lookups + signed : lookups;
}
