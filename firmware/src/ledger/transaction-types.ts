/** All types of transactions. A new one is a file of its own and a row in its family's table. */
import { accessTransactions } from './access/transactions.ts';
import { consortiumTransactions } from './consortium/transactions.ts';
import { formatTransactions } from './formats/signal.ts';
import { releaseTransactions } from './releases/transactions.ts';
import { studyTransactions } from './studies/transactions.ts';
import type { TransactionType } from './transaction-type.ts';
import type { TransactionBody } from './types.ts';

type BodyOf<Type extends TransactionBody['type']> = Extract<TransactionBody, { readonly type: Type }>;

const table: { readonly [Type in TransactionBody['type']]: TransactionType<BodyOf<Type>> } = {
  ...studyTransactions,
  ...accessTransactions,
  ...consortiumTransactions,
  ...releaseTransactions,
  ...formatTransactions,
};

/** In the order of the table. */
export const transactionTypeNames = Object.keys(table) as readonly TransactionBody['type'][];

export function isTransactionType(value: unknown): value is TransactionBody['type'] {
  return typeof value === 'string' && Object.hasOwn(table, value);
}

/**
 * True of what an owner takes back: revocations and objections go before everything else of a block, and have a lane of
 * their own where transactions wait, so that nobody can hold them up.
 */
export function goesFirst(type: TransactionBody['type']): boolean {
  return type === 'access.revoke' || type === 'study.object';
}

/** True of what is signed by an owner's key, and so may come from a wallet. */
export function isOwnersAct(type: TransactionBody['type']): boolean {
  return type === 'access.grant' || type === 'study.transfer' || goesFirst(type);
}

/** True of what brings certified keys: judging it costs twenty times what judging anything else does. */
export function bringsKeys(type: TransactionBody['type']): boolean {
  return type === 'institution.update' || type === 'institution.replace' || type === 'institution.propose';
}

/** The type's functions. They take bodies of this type alone; the table above is what guarantees that. */
export function transactionType<Type extends TransactionBody['type']>(
  type: Type,
): TransactionType<TransactionBody> {
  return table[type] as unknown as TransactionType<TransactionBody>;
}
