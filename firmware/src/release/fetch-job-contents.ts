/** What a fetch job holds in encoded form, read again. @throws AppError STORE_CORRUPT if it is not there. */
import { AppError } from '../errors.ts';
import { decodeTransaction } from '../ledger/transactions.ts';
import { isBasis } from '../ledger/access/transactions.ts';
import type { AccessOpen, BasisBody, Transaction } from '../ledger/types.ts';
import type { FetchJob } from './fetch-jobs.ts';

function transactionOf(encoded: Uint8Array | null): Transaction {
  const decoded = encoded === null ? undefined : decodeTransaction(encoded);
  if (decoded?.kind !== 'transaction')
    throw new AppError('STORE_CORRUPT', 'A fetch job holds no transaction.');
  return decoded.transaction;
}

export function granteeSignatureOf(job: FetchJob): Uint8Array {
  const [signature] = transactionOf(job.open).signatures;
  if (signature === undefined) throw new AppError('STORE_CORRUPT', 'A fetch job holds no signature.');
  return signature;
}

/** The grant, the referral or the emergency. */
export function grantOf(job: FetchJob): BasisBody {
  const { body } = transactionOf(job.grant);
  if (!isBasis(body)) throw new AppError('STORE_CORRUPT', `A fetch job holds ${body.type} for a grant.`);
  return body;
}

export function openOf(job: FetchJob): AccessOpen {
  const { body } = transactionOf(job.open);
  if (body.type !== 'access.open')
    throw new AppError('STORE_CORRUPT', `A fetch job holds ${body.type} for an open.`);
  return body;
}

export function isSettled({ state }: FetchJob): boolean {
  return state === 'done' || state === 'refused';
}
