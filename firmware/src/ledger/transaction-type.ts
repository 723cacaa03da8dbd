/**
 * What the ledger knows of one type of transaction. Everything about a type stands in one file; the table of
 * transaction-types.ts joins them.
 */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import type { ExtraWork } from './block-work.ts';
import { bytesField, mapField, timeField } from './fields.ts';
import type { Outcome, RuleContext } from './rule.ts';
import type { LedgerSnapshot } from './state.ts';
import type { BodyBase, ChainId } from './types.ts';

export interface TransactionType<Body extends BodyBase & { readonly type: string }> {
  /** Strict reading of the body. @throws ShapeError */
  read(value: CborValue): Body;
  /** Signatures that a transaction with this body carries, in the order that its rule names. */
  signers(body: Body): number;
  /** What its signers sign, where that is not `signingMessage`. */
  readonly message?: (body: Body) => Uint8Array;
  /** What checking it costs besides its signatures and one record of the state; nothing, if it is not said. */
  readonly work?: (body: Body) => ExtraWork;
  /** The rule: the state after it, or why it does not apply. Signatures are checked after what is cheaper. */
  apply(state: LedgerSnapshot, body: Body, context: RuleContext): Outcome;
}

/** Largest counter, sequence number, version: what a double holds exactly. */
export const counterMax = Number.MAX_SAFE_INTEGER;

/**
 * The body's map with exactly these fields besides the three that every body has, and these three, read.
 * @throws ShapeError
 */
export function readBody<const Type extends string, Name extends string>(
  value: CborValue,
  type: Type,
  names: readonly Name[],
): {
  readonly map: Readonly<Record<Name, CborValue>>;
  readonly base: { readonly type: Type; readonly chain: ChainId; readonly validUntil: number };
} {
  const map = mapField<Name | 'type' | 'chain' | 'validUntil'>(value, 'body', [
    'type',
    'chain',
    'validUntil',
    ...names,
  ]);
  const base = {
    type,
    chain: bytesField(map.chain, 'chain', 32),
    validUntil: timeField(map.validUntil, 'validUntil'),
  };
  return { map, base };
}
