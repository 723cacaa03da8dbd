/** `apply(state, transaction, block) → state or refusal`: the same on every box, since it sees nothing else. */
import { equalBytes } from '../encoding/bytes.ts';
import { asSnapshot } from './state.ts';
import { transactionType } from './transaction-types.ts';
import { signingMessage } from './transactions.ts';
import type { Applied, BlockContext, LedgerState, Transaction } from './types.ts';

/**
 * Applies a well-formed transaction (from `decodeTransaction`) under the time of its block. Signatures are checked
 * last, after everything that is cheaper.
 */
export function applyTransaction(state: LedgerState, transaction: Transaction, block: BlockContext): Applied {
  const { body, signatures } = transaction;
  if (!equalBytes(body.chain, state.chain)) return { kind: 'refused', reason: 'wrong-chain' };
  if (block.time > body.validUntil) return { kind: 'refused', reason: 'expired' };
  const outcome = transactionType(body.type).apply(asSnapshot(state), body, {
    height: block.height,
    time: block.time,
    signatures,
    verify: block.verify,
    signedBy: (...publicKeys) => {
      if (publicKeys.length !== signatures.length) return false;
      const message = signingMessage(body);
      return publicKeys.every((key, index) => block.verify(key, message, signatures[index] as Uint8Array));
    },
  });
  return typeof outcome === 'string'
    ? { kind: 'refused', reason: outcome }
    : { kind: 'applied', state: outcome };
}
