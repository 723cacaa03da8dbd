/** `apply(state, transaction, block) → state or refusal`: the same on every box, since it sees nothing else. */
import { equalBytes } from '../encoding/bytes.ts';
import { grantAccess, revokeAccess } from './apply-grant.ts';
import { closeAccess, openAccess } from './apply-open.ts';
import { amendStudy, registerStudies } from './apply-study.ts';
import type { Outcome, RuleContext } from './rule.ts';
import { asSnapshot, type LedgerSnapshot } from './state.ts';
import { signingMessage } from './transactions.ts';
import type { Applied, BlockContext, LedgerState, Transaction, TransactionBody } from './types.ts';

function applyBody(state: LedgerSnapshot, body: TransactionBody, context: RuleContext): Outcome {
  switch (body.type) {
    case 'study.register':
      return registerStudies(state, body, context);
    case 'study.amend':
      return amendStudy(state, body, context);
    case 'access.grant':
      return grantAccess(state, body, context);
    case 'access.revoke':
      return revokeAccess(state, body, context);
    case 'access.open':
      return openAccess(state, body, context);
    case 'access.close':
      return closeAccess(state, body, context);
  }
}

/**
 * Applies a well-formed transaction (from `decodeTransaction`) under the time of its block. Signatures are checked
 * last, after everything that is cheaper.
 */
export function applyTransaction(state: LedgerState, transaction: Transaction, block: BlockContext): Applied {
  const { body, signatures } = transaction;
  if (!equalBytes(body.chain, state.chain)) return { kind: 'refused', reason: 'wrong-chain' };
  if (block.time > body.validUntil) return { kind: 'refused', reason: 'expired' };
  const outcome = applyBody(asSnapshot(state), body, {
    time: block.time,
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
