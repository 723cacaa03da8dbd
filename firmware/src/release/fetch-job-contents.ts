/** What a fetch job holds in encoded form, read again. @throws AppError STORE_CORRUPT if it is not there. */
import { AppError } from '../errors.ts';
import { decodeTransaction } from '../ledger/transactions.ts';
import type { AccessGrant, AccessOpen, TransactionBody } from '../ledger/types.ts';
import type { FetchJob } from './fetch-jobs.ts';

function bodyOf<Type extends TransactionBody['type']>(
  encoded: Uint8Array | null,
  type: Type,
): Extract<TransactionBody, { type: Type }> {
  const decoded = encoded === null ? undefined : decodeTransaction(encoded);
  if (decoded?.kind !== 'transaction' || decoded.transaction.body.type !== type) {
    throw new AppError('STORE_CORRUPT', `A fetch job holds no ${type}.`);
  }
  return decoded.transaction.body as Extract<TransactionBody, { type: Type }>;
}

export function granteeSignatureOf(job: FetchJob): Uint8Array {
  const decoded = job.open === null ? undefined : decodeTransaction(job.open);
  const signature = decoded?.kind === 'transaction' ? decoded.transaction.signatures[0] : undefined;
  if (signature === undefined) throw new AppError('STORE_CORRUPT', 'A fetch job holds no signature.');
  return signature;
}

export function grantOf(job: FetchJob): AccessGrant {
  return bodyOf(job.grant, 'access.grant');
}

export function openOf(job: FetchJob): AccessOpen {
  return bodyOf(job.open, 'access.open');
}

export function isSettled({ state }: FetchJob): boolean {
  return state === 'done' || state === 'refused';
}
