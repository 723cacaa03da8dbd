/** All types of transactions. A new one is a file of its own and a row here. */
import { accessClose } from './access/close.ts';
import { accessGrant } from './access/grant.ts';
import { accessOpen } from './access/open.ts';
import { accessRevoke } from './access/revoke.ts';
import { studyAmend } from './studies/amend.ts';
import { studyRegister } from './studies/register.ts';
import type { TransactionType } from './transaction-type.ts';
import type { TransactionBody } from './types.ts';

type BodyOf<Type extends TransactionBody['type']> = Extract<TransactionBody, { readonly type: Type }>;

const table: { readonly [Type in TransactionBody['type']]: TransactionType<BodyOf<Type>> } = {
  'study.register': studyRegister,
  'study.amend': studyAmend,
  'access.grant': accessGrant,
  'access.revoke': accessRevoke,
  'access.open': accessOpen,
  'access.close': accessClose,
};

/** In the order of the table. */
export const transactionTypeNames = Object.keys(table) as readonly TransactionBody['type'][];

export function isTransactionType(value: unknown): value is TransactionBody['type'] {
  return typeof value === 'string' && Object.hasOwn(table, value);
}

/** The type's functions. They take bodies of this type alone; the table above is what guarantees that. */
export function transactionType<Type extends TransactionBody['type']>(
  type: Type,
): TransactionType<TransactionBody> {
  return table[type] as unknown as TransactionType<TransactionBody>;
}
