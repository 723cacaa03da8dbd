import { applyTransaction } from '../../firmware/src/ledger/index.ts';
import type { LedgerState, Transaction } from '../../firmware/src/ledger/types.ts';
import { genesisTime, verifySignature } from '../fakes/ledger.ts';

/** One minute after genesis: the block time of tests that do not care. */
export const soon = genesisTime + 60_000;

/** The state after the transaction. @throws Error if it is refused. */
export function applied(state: LedgerState, transaction: Transaction, time = soon): LedgerState {
  const outcome = applyTransaction(state, transaction, { height: 1, time, verify: verifySignature });
  if (outcome.kind === 'refused') throw new Error(`${transaction.body.type} was refused: ${outcome.reason}`);
  return outcome.state;
}

/** The word of refusal. @throws Error if the transaction applies. */
export function refusal(state: LedgerState, transaction: Transaction, time = soon): string {
  const outcome = applyTransaction(state, transaction, { height: 1, time, verify: verifySignature });
  if (outcome.kind === 'applied') throw new Error(`${transaction.body.type} was applied`);
  return outcome.reason;
}
